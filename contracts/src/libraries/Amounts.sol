// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Action, Flow} from "../generated/Messages.sol";
import {Statement} from "../generated/Statement.sol";
import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {ActionRules, FlowRule} from "./ActionRules.sol";

/// @title Amounts and flows, checked before they become field elements
/// @dev The single-opening argument (docs/protocol.md, L3) needs |flow| <= 2^30 per slot, hence strictly increasing slots: two flows on one slot would add up.
///      |cash flow| < 2^64 < 2^80 follows from amount and fee < 2^63.
library Amounts {
    /// @notice Checks an action's amounts by its rule and sets cash flow and flows; the fee and the recipient stand in `action` already.
    /// @param cash Micro-dollars absorbed from the inbox, or paid to the recipient; the fee is taken from it on the way in and added on the way out.
    function set(Action memory action, FlowRule rule, uint64 cash, Flow[] calldata flows, uint16 slots) internal pure {
        requireAmount(cash);
        requireAmount(action.fee);
        if (rule == FlowRule.IN) {
            if (action.fee > cash) revert IClearingHouse.FeeAboveAmount(action.fee, cash);
            action.cashFlow = int128(uint128(cash - action.fee));
        } else if (rule == FlowRule.OUT) {
            if (action.recipient == address(0)) revert IClearingHouse.RecipientZero();
            action.cashFlow = -int128(uint128(cash) + action.fee);
        } else {
            revert ActionRules.FlowRuleWrong(rule);
        }
        _requireFlows(rule, flows, slots);
        action.flows = flows;
    }

    /// @notice The cash flow of an action whose only flow is the fee.
    function setFee(Action memory action, FlowRule rule) internal pure {
        if (rule != FlowRule.FEE) revert ActionRules.FlowRuleWrong(rule);
        requireAmount(action.fee);
        action.cashFlow = -int128(uint128(action.fee));
    }

    function requireAmount(uint64 amount) internal pure {
        if (amount >= Statement.AMOUNT_LIMIT) revert IClearingHouse.AmountTooLarge(amount, Statement.AMOUNT_LIMIT);
    }

    function _requireFlows(FlowRule rule, Flow[] calldata flows, uint16 slots) private pure {
        uint256 next = 0;
        for (uint256 i = 0; i < flows.length; i++) {
            (uint16 slot, int64 lots) = (flows[i].slot, flows[i].lots);
            if (slot < next || slot >= slots) revert IClearingHouse.FlowSlotInvalid(slot, next, slots);
            next = uint256(slot) + 1;
            bool isAllowed = rule == FlowRule.IN
                ? lots > 0 && lots <= Statement.FLOW_LIMIT
                : lots < 0 && lots >= -Statement.FLOW_LIMIT;
            if (!isAllowed) revert IClearingHouse.FlowLotsInvalid(slot, lots, rule, Statement.FLOW_LIMIT);
        }
    }
}
