// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {AccountBook} from "../src/AccountBook.sol";
import {PaymentClock} from "../src/PaymentClock.sol";
import {ActionKind, ActionRules, Rule} from "../src/generated/ActionRules.sol";
import {Action, Flow} from "../src/generated/Messages.sol";
import {Statement} from "../src/generated/Statement.sol";
import {PolicyAttestation} from "../src/interfaces/IClearingHouse.sol";
import {IKeyRegistry} from "../src/interfaces/IKeyRegistry.sol";
import {IMarginVerifier} from "../src/interfaces/IMarginVerifier.sol";
import {IRiskOracle} from "../src/interfaces/IRiskOracle.sol";
import {IWalletSignatures} from "../src/interfaces/IWalletSignatures.sol";
import {Amounts} from "../src/libraries/Amounts.sol";
import {Attestations} from "../src/libraries/Attestations.sol";
import {SymbolicCheats} from "./SymbolicCheats.sol";

/// @dev A clock that anybody stops and starts.
contract FreeClock is PaymentClock {
    constructor() Ownable(msg.sender) {}

    function guardian() external pure returns (address) {
        return address(0);
    }

    function stop() external {
        _stopClock();
    }

    function start() external {
        _startClock();
    }
}

/// @dev An account's word, written and read again.
contract FreeBook is AccountBook {
    constructor()
        AccountBook(
            IKeyRegistry(address(0)),
            IRiskOracle(address(0)),
            IMarginVerifier(address(0)),
            IWalletSignatures(address(0))
        )
    {}

    function pass(AccountHead memory head) external returns (AccountHead memory read) {
        _store(_accounts[0], head);
        _load(read, _accounts[0]);
    }

    function applied(
        AccountHead memory head,
        Rule rule,
        uint24 generation,
        uint40 time,
        uint64 lineage
    ) external pure returns (AccountHead memory) {
        _apply(head, rule, generation, time, lineage);
        return head;
    }
}

/// @title Bounds and packed words, for every value
contract Bounds {
    SymbolicCheats private constant VM = SymbolicCheats(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint40 private constant PAUSE_LIMIT = 7 days;

    FreeClock private clock;
    FreeBook private book;

    function setUp() public {
        VM.warp(1);
        (clock, book) = (new FreeClock(), new FreeBook());
    }

    /// @notice Whatever stops and starts it, at any times: the clock never goes back, nor runs ahead of the block's,
    ///         and loses at most the limit in each pause.
    function check_the_live_clock(uint40[5] memory times, bool[4] memory stops) public {
        uint40 live = 1;
        uint40 before = 1;
        uint256 pauses;
        for (uint256 i = 0; i < 5; i++) {
            VM.assume(times[i] >= before);
            VM.warp(times[i]);
            uint40 now_ = clock.liveTime();
            assert(now_ >= live && now_ - live <= times[i] - before);
            (live, before) = (now_, times[i]);
            if (i == 4) break;
            if (stops[i]) {
                if (clock.pausedAt() == 0) pauses++;
                clock.stop();
            } else {
                clock.start();
            }
            assert(clock.liveTime() == live);
        }
        assert(before - live <= pauses * PAUSE_LIMIT);
    }

    function check_a_stopped_clock_stands(uint40 time, uint40 later) public {
        VM.assume(time >= 1 && later >= time && later - time <= PAUSE_LIMIT);
        VM.warp(time);
        clock.stop();
        uint40 live = clock.liveTime();
        VM.warp(later);
        assert(clock.liveTime() == live);
        clock.start();
        assert(clock.liveTime() == live);
    }

    function check_an_account_is_read_as_it_was_written(AccountBook.AccountHead memory head) public {
        AccountBook.AccountHead memory read = book.pass(head);
        assert(keccak256(abi.encode(read)) == keccak256(abi.encode(head)));
    }

    function check_an_attestation_is_read_as_it_was_written(uint32 time, uint32 epoch, uint192 tag) public pure {
        PolicyAttestation memory read = Attestations.unpack(Attestations.pack(time, epoch, tag));
        assert(read.time == time && read.epoch == epoch && read.tag == tag);
    }

    /// @notice What enters the statement as the cash flow is the amount less or plus the fee, and below 2^64.
    function check_cash_flows(uint256 rule, uint64 cash, uint64 fee, address recipient) public pure {
        Action memory action;
        (action.kind, action.fee, action.recipient) = (uint8(ActionKind.DEPOSIT), fee, recipient);
        Rule row = Rule.wrap(rule);
        int256 flow = Amounts.toCashFlow(action, row, cash);
        assert(cash < Statement.AMOUNT_LIMIT && fee < Statement.AMOUNT_LIMIT);
        assert(flow > -(2 ** 64) && flow < 2 ** 64);
        bool isOut = row.has(ActionRules.FLOWS_OUT);
        assert((recipient != address(0)) == isOut);
        if (isOut) {
            assert(flow == -int256(uint256(cash)) - int256(uint256(fee)));
        } else if (row.has(ActionRules.FLOWS_IN)) {
            assert(flow >= 0 && flow == int256(uint256(cash)) - int256(uint256(fee)));
        } else {
            assert(cash == 0 && flow == -int256(uint256(fee)) && fee <= Amounts.MAX_TRADE_FEE);
            assert(fee == 0 || row.has(ActionRules.FLOWS_FEE));
        }
    }

    /// @notice Accepted flows are of rising slots of the key, and of at most 2^30 lots in the row's direction.
    function check_flows(uint256 rule, uint16 slots, Flow[] calldata flows) public pure {
        Rule row = Rule.wrap(rule);
        Amounts.requireFlows(ActionKind.DEPOSIT, row, flows, slots);
        for (uint256 i = 0; i < flows.length; i++) {
            assert(flows[i].slot < slots);
            assert(i == 0 || flows[i].slot > flows[i - 1].slot);
            int64 lots = flows[i].lots;
            assert(lots != 0 && lots <= 2 ** 30 && lots >= -(2 ** 30));
            assert(lots > 0 ? row.has(ActionRules.FLOWS_IN) : row.has(ActionRules.FLOWS_OUT));
        }
    }

    /// @notice Of an account's word a row changes what its cells say, and nothing else.
    function check_a_row_changes_what_it_says(
        AccountBook.AccountHead memory head,
        uint256 rule,
        uint24 generation,
        uint40 time,
        uint64 lineage
    ) public view {
        Rule row = Rule.wrap(rule);
        AccountBook.AccountHead memory after_ = book.applied(head, row, generation, time, lineage);
        assert(after_.auth == head.auth && after_.keyVersion == head.keyVersion);
        assert(row.has(ActionRules.WRITES) ? after_.generation == generation : after_.generation == head.generation);
        if (row.has(ActionRules.PROVEN_SET)) {
            assert(after_.provenAt == time);
        } else {
            assert(after_.provenAt == head.provenAt);
            assert(after_.provenEpoch >= head.provenEpoch || !row.has(ActionRules.EPOCH_STEPS));
            assert(after_.provenEpoch == head.provenEpoch || row.has(ActionRules.EPOCH_STEPS));
        }
        if (!row.has(ActionRules.CLOSES)) assert((after_.state & 0x03) == (head.state & 0x03));
        assert((after_.state & 0xa0) == (head.state & 0xa0));
    }
}
