// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {VenueBooks} from "./VenueBooks.sol";
import {VenueHandler} from "./VenueHandler.sol";

/// @title What holds of the venue after any mix of calls
contract VenueInvariants is VenueBooks {
    VenueHandler private _handler;

    function setUp() public {
        _handler = new VenueHandler();
        lookAt(_handler);
    }

    function invariant_books_and_states() public view {
        requireBooks(0);
    }

    /// @dev A mix in which nothing was accepted would say nothing: here every kind of call is, once.
    function test_every_kind_of_call_is_accepted() public {
        _handler.fund(0, 1e9, 200);
        _handler.fund(1, 1e9, 200);
        _handler.deposit(0, 1e9, 100, 7);
        _handler.cure(1, 1e9, 100, 7, 0);
        _handler.trade(0, 1, 5, 6, 0);
        _handler.attest(0, 0, true);
        _handler.attest(1, 0, false);
        _handler.withdraw(0, 1e3, 1, 7, 0);
        _handler.withdrawFlat(0, 1e3, 1, 7);
        _handler.veto(true);
        _handler.revoke(0, 0, 1);
        _handler.pause(1, 3_600);
        _handler.collectFees();
        _handler.claim();
        _handler.claim();
        _handler.pullBack(1, 1);
        _handler.invalidate(0, "digest");
        _handler.post(7);
        _handler.trade(0, 1, 5, 6, 0);
        _handler.attestWithoutProof(1);
        _handler.replay(9, address(1));
        _handler.tradeBatch(0, 1, 5, 6, 0);
        _handler.attestBatch(0);
        _handler.post(7);
        _handler.roll(0);
        _handler.post(7);
        _handler.post(7);
        _handler.skip(2);
        _handler.close(0, 1, 0, 0, 0);
        bytes32[21] memory names = [
            bytes32("fund"),
            "deposit",
            "cure",
            "attest",
            "withdraw",
            "flat",
            "collect",
            "claim",
            "pull back",
            "invalidate",
            "post",
            "trade",
            "close",
            "replay",
            "roll",
            "skip",
            "pause",
            "revoke",
            "veto",
            "trade batch",
            "attest batch"
        ];
        for (uint256 i = 0; i < names.length; i++) {
            require(_handler.accepted(names[i]) > 0, string.concat("refused: ", string(abi.encode(names[i]))));
        }
        require(_handler.accepted("trade") == 2 && _handler.accepted("attest") == 2, "trade, attest");
        invariant_books_and_states();
    }
}
