// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {MarginLender} from "../src/examples/MarginLender.sol";
import {TradingWallet} from "../src/examples/TradingWallet.sol";
import {ActionKind} from "../src/generated/ActionRules.sol";
import {Action, Messages} from "../src/generated/Messages.sol";
import {IAccountBook, Status} from "../src/interfaces/IAccountBook.sol";
import {IAccountDesk} from "../src/interfaces/IAccountDesk.sol";
import {
    ActionRequest,
    IClearingHouse,
    OpenRequest,
    TradeRequest,
    TradeSide
} from "../src/interfaces/IClearingHouse.sol";
import {ZkMarginFixture} from "./ZkMarginFixture.sol";

/// @title The examples of src/examples at a venue without proofs, and what each refuses
contract ExamplesTest is ZkMarginFixture {
    uint256 private constant OWNER = uint256(keccak256("owner"));
    uint256 private constant MAKER = uint256(keccak256("maker"));
    address private constant TREASURY = address(0x7EA5);
    uint128 private constant LIMIT = 1_000e6;

    bytes32 private _account;
    bytes32 private _maker;
    MarginLender private _lender;
    TradingWallet private _wallet;

    function setUp() public {
        deployVenue();
        (_account, ) = openAccount(OWNER, 0);
        (_maker, ) = openAccount(MAKER, 0);
        _lender = new MarginLender(house.VIEWS(), IERC20(address(usdc)), "net_delta", LIMIT);
        usdc.mint(address(_lender), 10 * LIMIT);
        _wallet = new TradingWallet(house, address(this), TREASURY);
    }

    // ------------------------------------------------------------------ the lender

    function test_a_current_account_that_shows_the_policy_draws() public {
        _show(_account);
        _draw(OWNER, LIMIT, _point("net_delta"));
        require(usdc.balanceOf(CHEATS.addr(OWNER)) == LIMIT, "drawn");
        usdc.approve(address(_lender), LIMIT);
        _lender.repay(_account, LIMIT);
        (uint128 owed, ) = _lender.loanOf(_account);
        require(owed == 0, "repaid");
    }

    function test_only_the_owner_draws() public {
        _show(_account);
        CHEATS.prank(CHEATS.addr(MAKER));
        _refused(_drawCall(1, _point("net_delta")), MarginLender.OwnerOnly.selector);
    }

    function test_no_more_than_the_limit_is_drawn() public {
        _show(_account);
        _draw(OWNER, LIMIT, _point("net_delta"));
        CHEATS.prank(CHEATS.addr(OWNER));
        _refused(_drawCall(1, _point("net_delta")), MarginLender.AboveLimit.selector);
        _refused(abi.encodeCall(_lender.repay, (_account, LIMIT + 1)), MarginLender.AboveLimit.selector);
    }

    function test_who_is_overdue_draws_no_more() public {
        _show(_account);
        _draw(OWNER, 1, _point("net_delta"));
        CHEATS.warp(block.timestamp + _lender.TERM() + 1);
        postEpoch(false, false);
        _show(_account);
        CHEATS.prank(CHEATS.addr(OWNER));
        _refused(_drawCall(1, _point("net_delta")), MarginLender.Overdue.selector);
    }

    function test_an_account_that_proved_no_margin_draws_nothing() public {
        _attest(_account, "net_delta");
        CHEATS.prank(CHEATS.addr(OWNER));
        _refused(_drawCall(1, _point("net_delta")), MarginLender.NotCurrent.selector);
    }

    function test_another_policy_does_not_count() public {
        _attest(_account, "maintenance");
        CHEATS.prank(CHEATS.addr(OWNER));
        _refused(_drawCall(1, _point("net_delta")), MarginLender.NotAttested.selector);
        CHEATS.prank(CHEATS.addr(OWNER));
        _refused(_drawCall(1, _point("maintenance")), MarginLender.NotAttested.selector);
        _attest(_account, "net_delta");
        CHEATS.prank(CHEATS.addr(OWNER));
        _refused(_drawCall(1, _point("maintenance")), MarginLender.NotAttested.selector);
    }

    function test_what_was_shown_grows_old() public {
        _show(_account);
        CHEATS.warp(block.timestamp + _lender.MAX_AGE() + 1);
        postEpoch(false, false);
        _attest(_account, "maintenance");
        CHEATS.prank(CHEATS.addr(OWNER));
        _refused(_drawCall(1, _point("net_delta")), MarginLender.NotAttested.selector);
    }

    function test_what_was_shown_at_a_revoked_epoch_does_not_count() public {
        _show(_account);
        oracle.revokeEpochs(oracle.latestNumber());
        CHEATS.prank(CHEATS.addr(OWNER));
        _refused(_drawCall(1, _point("net_delta")), MarginLender.NotCurrent.selector);
    }

    function test_a_change_of_the_account_ends_what_it_showed() public {
        _show(_account);
        TradeRequest memory request = _tradeOf(_account, _maker);
        request.plus.signature = _signed(request, true, OWNER);
        request.minus.signature = _signed(request, false, MAKER);
        house.trade(request);
        CHEATS.prank(CHEATS.addr(OWNER));
        _refused(_drawCall(1, _point("net_delta")), MarginLender.NotAttested.selector);
    }

    // ------------------------------------------------------------------ the contract that trades

    function test_a_contract_trades_without_a_signature_of_its_own() public {
        bytes32 account = _openWallet();
        TradeRequest memory request = _tradeOf(account, _maker);
        request.minus.signature = _signed(request, false, MAKER);
        _wallet.trade(request);
        require(house.accountOf(account).commitment == request.plus.commitmentNew, "traded");
    }

    function test_a_counterparty_carries_in_what_the_contract_approved() public {
        bytes32 account = _openWallet();
        TradeRequest memory request = _tradeOf(account, _maker);
        request.minus.signature = _signed(request, false, MAKER);
        _refusedBy(
            address(house),
            abi.encodeCall(IClearingHouse.trade, (request)),
            IAccountBook.SignatureWrong.selector
        );
        _wallet.approveTrade(request, true);
        TradeRequest memory other = _tradeOf(account, _maker);
        other.minus.signature = _signed(other, false, MAKER);
        _refusedBy(address(house), abi.encodeCall(IClearingHouse.trade, (other)), IAccountBook.SignatureWrong.selector);
        house.trade(request);
        require(house.accountOf(account).commitment == request.plus.commitmentNew, "traded");
    }

    function test_money_leaves_to_the_treasury_alone() public {
        bytes32 account = _openWallet();
        usdc.mint(address(_wallet), 50e6);
        _wallet.fund(account, usdc, 50e6);
        ActionRequest memory request;
        request.account = account;
        request.deadline = NEVER;
        (request.cash, request.commitmentOld, request.commitmentNew) = (50e6, _commitment(account), fresh());
        _wallet.deposit(request);
        request.epoch = pointOf(oracle.latestNumber(), "withdraw");
        (request.cash, request.commitmentOld, request.commitmentNew) = (20e6, _commitment(account), fresh());
        request.recipient = address(this);
        bytes memory call = abi.encodeCall(_wallet.withdraw, (request));
        _refusedBy(address(_wallet), call, TradingWallet.RecipientWrong.selector);
        request.recipient = TREASURY;
        _wallet.withdraw(request);
        require(_commitment(account) == request.commitmentNew, "withdrawn");
    }

    function test_nobody_elses_account_is_funded() public {
        usdc.mint(address(_wallet), 50e6);
        bytes memory call = abi.encodeCall(_wallet.fund, (_maker, usdc, 50e6));
        _refusedBy(address(_wallet), call, TradingWallet.AccountForeign.selector);
    }

    function test_what_is_left_over_goes_to_the_treasury() public {
        bytes32 account = _openWallet();
        usdc.mint(address(_wallet), 50e6);
        _wallet.fund(account, usdc, 50e6);
        _wallet.pullBack(0, usdc, 20e6);
        require(usdc.balanceOf(TREASURY) == 20e6, "pulled back");
        ActionRequest memory request;
        (request.account, request.deadline, request.cash) = (account, NEVER, 30e6);
        (request.commitmentOld, request.commitmentNew) = (_commitment(account), fresh());
        _wallet.deposit(request);
        (request.commitmentOld, request.commitmentNew) = (_commitment(account), fresh());
        request.recipient = address(this);
        bytes memory call = abi.encodeCall(_wallet.withdrawFlat, (request, true));
        _refusedBy(address(_wallet), call, TradingWallet.RecipientWrong.selector);
        request.recipient = TREASURY;
        _wallet.withdrawFlat(request, true);
        require(house.accountOf(account).status == Status.CLOSED, "closed");
    }

    function test_the_contract_does_what_an_owner_must() public {
        bytes32 account = _openWallet();
        _wallet.act(abi.encodeCall(IAccountDesk.invalidate, (0, "digest")));
        require(house.isInvalidated(account, "digest"), "revoked");
        bytes memory call = abi.encodeCall(_wallet.act, (abi.encodeCall(IClearingHouse.collectFees, (address(this)))));
        _refusedBy(address(_wallet), call, TradingWallet.CallNotTaken.selector);
    }

    function test_only_the_operator_acts() public {
        TradeRequest memory request;
        ActionRequest memory action;
        OpenRequest memory opening;
        bytes[9] memory calls = [
            abi.encodeCall(_wallet.trade, (request)),
            abi.encodeCall(_wallet.approveTrade, (request, true)),
            abi.encodeCall(_wallet.deposit, (action)),
            abi.encodeCall(_wallet.withdraw, (action)),
            abi.encodeCall(_wallet.withdrawFlat, (action, false)),
            abi.encodeCall(_wallet.open, (opening)),
            abi.encodeCall(_wallet.fund, (_account, usdc, 1)),
            abi.encodeCall(_wallet.pullBack, (0, usdc, 1)),
            abi.encodeCall(_wallet.act, (abi.encodeCall(IAccountDesk.invalidate, (0, "digest"))))
        ];
        for (uint256 i = 0; i < calls.length; i++) {
            CHEATS.prank(TREASURY);
            _refusedBy(address(_wallet), calls[i], TradingWallet.OperatorOnly.selector);
        }
        CHEATS.prank(TREASURY);
        _refusedBy(address(_wallet), abi.encodeCall(_wallet.collectFees, ()), TradingWallet.OperatorOnly.selector);
    }

    // ------------------------------------------------------------------ how it is done

    function _openWallet() private returns (bytes32) {
        OpenRequest memory request;
        request.auth = address(_wallet);
        request.keyVersion = 1;
        request.generation = oracle.generation();
        request.commitment = fresh();
        (request.ephemeralX, request.ephemeralY, request.escrowedKey) = (5, 6, 7);
        request.deadline = NEVER;
        return _wallet.open(request);
    }

    /// @dev Margin and the lender's policy, at the latest epoch.
    function _show(bytes32 account) private {
        _attest(account, "maintenance");
        _attest(account, "net_delta");
    }

    function _attest(bytes32 account, bytes32 policy) private {
        ActionRequest memory request;
        (request.account, request.policy, request.deadline) = (account, policy, NEVER);
        request.commitmentOld = _commitment(account);
        request.epoch = pointOf(oracle.latestNumber(), policy);
        house.attest(request);
    }

    function _tradeOf(bytes32 plus, bytes32 minus) private returns (TradeRequest memory request) {
        request.tradeTag = fresh();
        request.epoch = pointOf(oracle.latestNumber(), "initial");
        (request.plus, request.minus) = (_sideOf(plus), _sideOf(minus));
    }

    function _sideOf(bytes32 account) private returns (TradeSide memory side) {
        (side.account, side.deadline, side.commitmentOld) = (account, NEVER, _commitment(account));
        (side.commitmentNew, side.ciphertext) = (fresh(), fresh());
    }

    /// @dev The views give what each side signs, so that nobody builds a message by hand.
    function _signed(TradeRequest memory request, bool isPlus, uint256 key) private view returns (bytes memory) {
        (bytes32 plus, bytes32 minus) = house.VIEWS().digestsOf(request);
        (uint8 v, bytes32 r, bytes32 s) = CHEATS.sign(key, isPlus ? plus : minus);
        return abi.encodePacked(r, s, v);
    }

    function _commitment(bytes32 account) private view returns (uint256) {
        return house.accountOf(account).commitment;
    }

    function _point(bytes32 name) private pure returns (bytes32) {
        return keccak256(abi.encode(name, 1, 2));
    }

    function _draw(uint256 key, uint128 amount, bytes32 pointHash) private {
        CHEATS.prank(CHEATS.addr(key));
        _lender.draw(_account, amount, pointHash);
    }

    function _drawCall(uint128 amount, bytes32 pointHash) private view returns (bytes memory) {
        return abi.encodeCall(_lender.draw, (_account, amount, pointHash));
    }

    function _refused(bytes memory call, bytes4 reason) private {
        _refusedBy(address(_lender), call, reason);
    }

    function _refusedBy(address target, bytes memory call, bytes4 reason) private {
        (bool passed, bytes memory answer) = target.call(call);
        require(!passed, "accepted");
        require(bytes4(answer) == reason, string(abi.encodePacked("another reason: ", answer)));
    }
}
