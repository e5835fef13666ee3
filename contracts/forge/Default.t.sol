// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DefaultHandler} from "./DefaultHandler.sol";
import {VenueBooks} from "./VenueBooks.sol";
import {VenueHandler} from "./VenueHandler.sol";

/// @title What holds of the venue after any mix of calls, deadlines and defaults among them
contract DefaultInvariants is VenueBooks {
    DefaultHandler private _handler;

    function setUp() public {
        _handler = new DefaultHandler();
        lookAt(_handler);
    }

    function invariant_books_and_states() public {
        _handler.checkAccounts();
        requireBooks(_handler.surplus());
    }

    /// @dev A mix in which nothing was accepted would say nothing: here a book finds a new owner, and another is saved.
    function test_a_book_goes_all_the_way() public {
        _handler.insure(5e8);
        for (uint8 i = 0; i < 3; i++) {
            _handler.fund(i, 1e9, 0);
            _handler.deposit(i, 1e9, 0, 0);
            _handler.fundBond(i, 60e6);
        }
        _handler.tick();
        _handler.trade(0, 1, 0, 0, 0);
        _handler.trade(2, 0, 0, 0, 0);
        _handler.sleep(19);
        _handler.attest(2, 0, false);
        _handler.freeze(0, 16, 0);
        _handler.freeze(1, 16, 0);
        _handler.freeze(2, 16, 0);
        require(_handler.accepted("freeze") == 2 && _handler.refused("freeze") == 1, "freeze");
        _handler.attest(1, 0, false);
        _handler.redeem(1);
        _handler.redeem(0);
        require(_handler.accepted("redeem") == 1 && _handler.refused("redeem") == 1, "redeem");
        _handler.reveal(0);
        _handler.reveal(1);
        _handler.appraise(0, 5e8, -1e8, 0);
        require(_handler.accepted("reveal") == 1 && _handler.accepted("appraise") == 0, "reveal");
        _handler.sleep(2);
        _handler.appraise(0, 5e8, -1e8, 0);
        _handler.sleep(0);
        _handler.bid(0, 2, -1, 0);
        _handler.attest(0, 0, false);
        _handler.bid(0, 2, 0, 0);
        invariant_books_and_states();
        require(_handler.refused("bid") == 2, "a bid below the price, and one for a book that was proved");
        _handler.sleep(3);
        _handler.bid(0, 2, 0, 0);
        invariant_books_and_states();
        require(_handler.accepted("appraise") == 1 && _handler.accepted("bid") == 1, "bid");
        _handler.takeBond(0);
        _handler.takeBond(1);
        require(_handler.accepted("take bond") == 1 && _handler.refused("take bond") == 1, "bond");
        invariant_books_and_states();
    }

    /// @dev Of two that are called one proves margin at later prices, and the other is frozen when the grace is over.
    function test_a_call_that_nobody_answers_freezes() public {
        for (uint8 i = 0; i < 2; i++) {
            _handler.fund(i, 1e9, 0);
            _handler.deposit(i, 1e9, 0, 0);
        }
        _handler.tick();
        _handler.trade(0, 1, 0, 0, 0);
        _handler.sleep(0);
        _handler.callEarly(4, 0);
        _handler.callEarly(1, 0);
        _handler.callEarly(1, 0);
        require(_handler.accepted("call early") == 1 && _handler.refused("call early") == 2, "call early");
        _handler.attest(1, 0, false);
        _handler.sleep(2);
        _handler.freeze(0, 0, 1);
        require(_handler.accepted("freeze") == 0, "frozen within the grace");
        _handler.sleep(2);
        _handler.freeze(0, 0, 1);
        _handler.freeze(1, 0, 1);
        require(_handler.accepted("freeze") == 1 && _handler.refused("freeze") == 2, "freeze");
        invariant_books_and_states();
    }
}
