// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ActionKind, ActionRules, Rule} from "../generated/ActionRules.sol";
import {
    Action,
    Appraisal,
    Attestation,
    Bid,
    Confirmation,
    EarlyCall,
    Epoch,
    Flow,
    Invalidate,
    Messages,
    Move,
    Open,
    PartOffer,
    PartPurchase,
    Rekey,
    Reveal,
    Settlement
} from "../generated/Messages.sol";
import {BabyJubJub} from "../libraries/BabyJubJub.sol";

/// @dev Shows internal functions to the tests.
contract TestHashes {
    function hashAction(Action calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashFlow(Flow calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashOpen(Open calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashEpoch(Epoch calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashSettlement(Settlement calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashInvalidate(Invalidate calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashConfirmation(Confirmation calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashEarlyCall(EarlyCall calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashReveal(Reveal calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashRekey(Rekey calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashMove(Move calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashAppraisal(Appraisal calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashBid(Bid calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashPartOffer(PartOffer calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashPartPurchase(PartPurchase calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashAttestation(Attestation calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function ruleOf(ActionKind kind) external pure returns (Rule) {
        return ActionRules.ruleOf(kind);
    }

    function isSubgroupPoint(uint256 x, uint256 y) external pure returns (bool) {
        return BabyJubJub.isSubgroupPoint(x, y);
    }
}
