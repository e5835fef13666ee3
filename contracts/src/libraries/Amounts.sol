// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ActionKind, ActionRules, Rule} from "../generated/ActionRules.sol";
import {Action, Flow} from "../generated/Messages.sol";
import {Statement} from "../generated/Statement.sol";
import {IAccountBook} from "../interfaces/IAccountBook.sol";

/// @title Amounts and flows, checked before they become field elements
/// @dev The single-opening argument (docs/protocol.md, L3) needs |flow| <= 2^30 per slot, hence strictly increasing
///      slots: two flows on one slot would add up. |cash flow| < 2^64 < 2^80 follows from amount and fee < 2^63.
library Amounts {
    /// @notice Largest fee of one side of a trade, micro-dollars (5 USDC). A fee pays for carrying a trade in; without
    ///         a bound it would be a way to pay cash out of an account that no withdrawal's rule sees.
    uint64 internal constant MAX_TRADE_FEE = 5_000_000;

    /// @notice Cash flow of the account, in micro-dollars, after checking amounts and recipient by the action's row.
    /// @param action Has kind, fee and recipient. The fee is taken from `cash` on the way in, added to it on the way
    ///     out.
    /// @param rule The action's row.
    /// @param cash Micro-dollars absorbed from the inbox, or paid to the recipient.
    function toCashFlow(Action memory action, Rule rule, uint64 cash) internal pure returns (int128) {
        uint64 fee = action.fee;
        _requireAmount(cash);
        _requireAmount(fee);
        if (rule.has(ActionRules.FLOWS_OUT)) {
            if (action.recipient == address(0)) revert IAccountBook.RecipientZero();
            return -int128(uint128(cash) + fee);
        }
        if (action.recipient != address(0)) _refuse(action, "recipient");
        if (rule.has(ActionRules.FLOWS_IN)) {
            if (fee > cash) revert IAccountBook.FeeAboveAmount(fee, cash);
            return int128(uint128(cash - fee));
        }
        if (cash != 0) _refuse(action, "cash");
        if (fee != 0 && !rule.has(ActionRules.FLOWS_FEE)) _refuse(action, "fee");
        if (fee > MAX_TRADE_FEE) revert IAccountBook.FeeTooLarge(fee, MAX_TRADE_FEE);
        return -int128(uint128(fee));
    }

    /// @notice Reverts unless the slots rise strictly, below `slots`, and every flow's lots are as the row says.
    function requireFlows(ActionKind kind, Rule rule, Flow[] calldata flows, uint16 slots) internal pure {
        uint256 next = 0;
        for (uint256 i = 0; i < flows.length; i++) {
            (uint16 slot, int64 lots) = (flows[i].slot, flows[i].lots);
            if (slot < next || slot >= slots) revert IAccountBook.FlowSlotInvalid(slot, next, slots);
            next = uint256(slot) + 1;
            bool isAllowed =
                (rule.has(ActionRules.FLOWS_IN) && lots > 0 && lots <= Statement.FLOW_LIMIT) ||
                    (rule.has(ActionRules.FLOWS_OUT) && lots < 0 && lots >= -Statement.FLOW_LIMIT);
            if (!isAllowed) revert IAccountBook.FlowLotsInvalid(slot, lots, kind, Statement.FLOW_LIMIT);
        }
    }

    function _refuse(Action memory action, bytes32 field) private pure {
        revert IAccountBook.FieldNotTaken(ActionKind(action.kind), field);
    }

    function _requireAmount(uint64 amount) private pure {
        if (amount >= Statement.AMOUNT_LIMIT) revert IAccountBook.AmountTooLarge(amount, Statement.AMOUNT_LIMIT);
    }
}
