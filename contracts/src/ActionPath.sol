// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccountBook} from "./AccountBook.sol";
import {ActionKind, ActionRules, Rule} from "./generated/ActionRules.sol";
import {Action, Messages} from "./generated/Messages.sol";
import {Status} from "./interfaces/IAccountBook.sol";
import {EpochPoint, TradeSide} from "./interfaces/IClearingHouse.sol";
import {FreshEpoch} from "./interfaces/IRiskOracle.sol";
import {Amounts} from "./libraries/Amounts.sol";
import {G1} from "./libraries/Bn254.sol";
import {Points} from "./libraries/Points.sol";

/// @title ActionPath
/// @notice The steps that every action but open takes, one by one or in a batch; ClearingHouse says in which order.
abstract contract ActionPath is AccountBook {
    /// @dev What an action is proved against, beside its own signals.
    struct ProofInputs {
        address key; // data contract of the `transition` key
        uint16 slots; // of that key
        uint24 generation; // of the account after the action, if it writes
        uint64 epoch; // its number; 0 without one
        uint64 lineage; // number of the latest word of the quorum that the proof rests on; 0 without one
        uint40 time; // unix seconds of the epoch's prices; 0 without one
        uint64 revokedUpTo; // upper end of the last range of revoked epochs; the largest number without an epoch
        bytes32 policyName;
        bytes32 pointHash; // of the named policy's point
        G1 policy;
        G1 settlement;
    }

    /// @dev Rows that change an account's head; a step of the listing does so too.
    uint256 private constant CHANGES_HEAD =
        ActionRules.PROVEN_SET | ActionRules.SIDES | ActionRules.POLICY_FLAT | ActionRules.CLOSES;
    /// @dev Rows that a revoked epoch in an account's lineage stops: what leaves, and what gives it a later lineage.
    uint256 private constant TIED_TO_EPOCH = ActionRules.PROVEN_SET | ActionRules.FLOWS_OUT | ActionRules.EPOCH_STEPS;
    /// @dev Rows whose policy is looked up among the points of the epoch.
    uint256 private constant NAMED_POLICY =
        ActionRules.POLICY_INITIAL |
            ActionRules.POLICY_MAINTENANCE |
            ActionRules.POLICY_WITHDRAW |
            ActionRules.POLICY_CHOSEN;

    /// @dev An empty Action of that kind. It is filled in from step to step, as an argument: a function that returned
    ///      it would allocate its eighteen words again. The kind comes to `_act` in it, not as a constant of its own:
    ///      of a function that is called with constants the compiler makes a copy for each, here beyond EIP-170.
    function _start(ActionKind kind) internal pure returns (Action memory action) {
        action.kind = uint8(kind);
    }

    /// @dev Fills in what is stored, and what the request states if the row takes it; fee, recipient and submitter
    ///      stand there already. The rest of `action` stays zero: without sides there is no trade tag, ciphertext or
    ///      counterparty.
    /// @param head Is filled with the account's, as a function that returned it would allocate its words again.
    function _draft(
        Action memory action,
        Rule rule,
        AccountHead memory head,
        bytes32 account,
        uint256 commitmentOld,
        uint256 commitmentNew,
        uint64 cash,
        uint40 deadline
    ) internal view {
        AccountRecord storage record = _accounts[account];
        _load(head, record);
        if (!_allows(rule, head.state)) {
            Status status = _statusOf(head.state);
            if (status == Status.ACTIVE) revert RekeyFirst(account);
            revert StatusWrong(account, status, ActionKind(action.kind));
        }
        _requireDeadline(deadline);
        _requireSubmitter(account, action.submitter);
        uint256 commitment = record.commitment;
        if (commitment != commitmentOld) revert CommitmentStale(account, commitmentOld, commitment);
        _fill(action, rule, head, account, commitment, commitmentNew, cash, deadline);
    }

    /// @dev `_draft`, where the account was looked at before.
    /// @param commitment The account's.
    function _fill(
        Action memory action,
        Rule rule,
        AccountHead memory head,
        bytes32 account,
        uint256 commitment,
        uint256 commitmentNew,
        uint64 cash,
        uint40 deadline
    ) internal pure {
        if (commitmentNew != 0 && !rule.has(ActionRules.WRITES)) {
            revert FieldNotTaken(ActionKind(action.kind), "commitmentNew");
        }
        action.account = account;
        action.keyVersion = head.keyVersion;
        action.generationOld = head.generation;
        action.commitmentOld = commitment;
        action.commitmentNew = commitmentNew;
        action.cashFlow = Amounts.toCashFlow(action, rule, cash);
        action.deadline = deadline;
    }

    /// @dev Fills in one side of a trade before `_draft` or `_fill`. Of a trade's amounts there is only the fee:
    ///      neither cash nor collateral moves, and nobody receives a payment.
    function _startSide(
        Action memory action,
        TradeSide calldata given,
        bytes32 counterparty,
        uint256 tradeTag,
        int8 side
    ) internal pure {
        action.kind = uint8(ActionKind.TRADE);
        action.counterparty = counterparty;
        action.tradeTag = tradeTag;
        action.ciphertext = given.ciphertext;
        action.side = side;
        action.submitter = given.submitter;
        action.fee = given.fee;
    }

    /// @dev Without an epoch the policy is a constant, and the settlement the identity or that of the stated steps.
    /// @param inputs Is filled in, as a function that returned it would allocate its words again.
    /// @param action Has kind, key version, generation, the account for errors to name, and the steps of a roll.
    /// @param chosen Name of the policy that the caller chose, 0 where the table leaves no choice.
    function _gather(
        ProofInputs memory inputs,
        Rule rule,
        Action memory action,
        AccountHead memory head,
        bytes32 chosen,
        EpochPoint calldata given
    ) internal view {
        uint16 keyVersion = action.keyVersion;
        uint24 generation = action.generationOld;
        bytes22 pointsRoot;
        if (rule.has(ActionRules.EPOCH_EXIT | ActionRules.EPOCH_PROOF)) {
            // No need to ask for the pause, because requireFresh refuses a paused action.
            FreshEpoch memory epoch = ORACLE.requireFresh(given.number, ActionKind(action.kind));
            if (epoch.keyVersion != keyVersion) revert KeyVersionWrong(action.account, keyVersion, epoch.keyVersion);
            if (epoch.generation != generation) {
                if (epoch.generation != uint256(generation) + 1) {
                    revert GenerationWrong(action.account, generation, epoch.generation);
                }
                _settle(inputs, keyVersion, generation, 1);
                // So the epoch is the latest word of the quorum that the action rests on.
                if (inputs.lineage > given.number) {
                    revert EpochOlderThanSettlement(action.account, given.number, inputs.lineage);
                }
                generation = epoch.generation;
            }
            (inputs.epoch, inputs.time, pointsRoot) = (given.number, epoch.time, epoch.pointsRoot);
            (inputs.lineage, inputs.revokedUpTo) = (given.number, epoch.revokedUpTo);
        } else {
            if (given.number | given.x | given.y | given.path.length != 0) {
                revert FieldNotTaken(ActionKind(action.kind), "epoch");
            }
            if (!rule.has(ActionRules.PAUSED)) ORACLE.requireUnpaused(ActionKind(action.kind));
            if (rule.has(ActionRules.EPOCH_STEPS)) {
                uint24 steps = action.generationNew;
                _settle(inputs, keyVersion, generation, steps);
                generation += steps;
            } else if (rule.has(ActionRules.FLOWS_IN)) {
                _requireNotLeftBehind(action.account, head);
            }
            inputs.revokedUpTo = type(uint64).max;
        }
        inputs.generation = generation;
        bool isChosen = rule.has(ActionRules.POLICY_CHOSEN);
        if (!isChosen && chosen != 0) revert FieldNotTaken(ActionKind(action.kind), "policy");
        inputs.policyName = isChosen ? chosen : rule.policyName();
        if (rule.has(ActionRules.POLICY_FLAT)) {
            (inputs.policy.x, inputs.policy.y) = REGISTRY.flatPoint(keyVersion);
        } else if (rule.has(NAMED_POLICY)) {
            (inputs.policy.x, inputs.policy.y) = (given.x, given.y);
            inputs.pointHash = Points.requireSigned(given, inputs.policyName, pointsRoot);
        }
        (inputs.key, inputs.slots) = REGISTRY.transitionKey(keyVersion);
    }

    /// @dev Fills in the settlement of the steps, and that it was posted at `lineage`.
    function _settle(ProofInputs memory inputs, uint16 keyVersion, uint24 generation, uint24 steps) private view {
        G1 memory point = inputs.settlement;
        (point.x, point.y, inputs.lineage) = ORACLE.settlementFor(keyVersion, generation, steps);
    }

    /// @dev The epoch of a proof must not come before the account's lineage, so by induction that is the latest of all
    ///      epochs that its state depends on: of its own proofs and settlements, and of the other sides of its trades.
    ///      Of a state that a revoked epoch may have made nothing leaves, it makes no other, and it takes no later
    ///      lineage, which would hide the revoked one.
    function _requireLineage(
        Rule rule,
        bytes32 account,
        AccountHead memory head,
        ProofInputs memory inputs
    ) internal view {
        if (_isProvenLater(rule, head, inputs)) revert EpochOlderThanProof(account, inputs.epoch, head.provenEpoch);
        if (_isTainted(rule, head, inputs)) revert AccountOfRevokedEpoch(account, head.provenEpoch);
    }

    function _isProvenLater(
        Rule rule,
        AccountHead memory head,
        ProofInputs memory inputs
    ) internal pure returns (bool) {
        return rule.has(ActionRules.PROVEN_SET) && inputs.epoch < head.provenEpoch;
    }

    function _isTainted(Rule rule, AccountHead memory head, ProofInputs memory inputs) internal view returns (bool) {
        uint64 proven = head.provenEpoch;
        return rule.has(TIED_TO_EPOCH) && proven != 0 && proven <= inputs.revokedUpTo && ORACLE.isRevoked(proven);
    }

    /// @dev Fills in what the proof is made at.
    function _bind(Action memory action, ProofInputs memory inputs) internal pure {
        action.epoch = inputs.epoch;
        action.policy = inputs.policyName;
        action.generationNew = inputs.generation;
    }

    /// @dev Digest of the action, after looking at auth's signature if the row asks for one. Steps need none of an
    ///      account that has no other way, or that is frozen and whose book has to follow the listing to be taken over:
    ///      what they make of it is determined. All that auth may have signed for the old commitment and that could
    ///      still pass is a flat exit, and of a frozen account that is one step behind a cure, to be made once more.
    function _authorize(
        Rule rule,
        Action memory action,
        AccountHead memory head,
        bytes calldata signature
    ) internal returns (bytes32 digest) {
        digest = _hashTypedDataV4(Messages.hash(action));
        if (!rule.has(ActionRules.SIGNATURE)) {
            if (signature.length != 0) revert FieldNotTaken(ActionKind(action.kind), "signature");
        } else if (
            signature.length != 0 ||
            !rule.has(ActionRules.EPOCH_STEPS) ||
            !(_isLeftBehind(action.generationOld) || _statusOf(head.state) == Status.FROZEN)
        ) {
            _requireSignature(action.account, head.state, head.auth, digest, signature);
        }
    }

    /// @dev Writes both sides of a trade, and says so.
    /// @return fees Micro-dollars that the submitter earned.
    function _writeTrade(
        Rule rule,
        Action memory plus,
        Action memory minus,
        AccountHead memory plusHead,
        AccountHead memory minusHead,
        ProofInputs memory inputs
    ) internal returns (uint256 fees) {
        _write(rule, plus, plusHead, inputs);
        _write(rule, minus, minusHead, inputs);
        unchecked {
            // No need to check the sum, because a fee is below 2^63.
            fees = uint256(plus.fee) + minus.fee;
        }
        emit Traded(
            plus.account,
            minus.account,
            plus.epoch,
            plus.generationNew,
            plus.tradeTag,
            plus.commitmentNew,
            plus.ciphertext,
            plus.fee,
            minus.commitmentNew,
            minus.ciphertext,
            minus.fee,
            msg.sender
        );
    }

    function _emitAttested(Action memory action, ProofInputs memory inputs) internal {
        emit Attested(action.account, action.policy, action.epoch, inputs.time, inputs.pointHash, msg.sender);
    }

    function _addFees(uint256 fees) internal {
        unchecked {
            // No need to check the sum, because a fee is below 2^63: it does not reach 2^256.
            if (fees != 0) _fees[msg.sender] += fees;
        }
    }

    function _write(Rule rule, Action memory action, AccountHead memory head, ProofInputs memory inputs) internal {
        if (rule.has(ActionRules.PROVEN_RAISE)) _keepAttestation(action, inputs.pointHash, inputs.time);
        AccountRecord storage record = _accounts[action.account];
        if (rule.has(ActionRules.WRITES)) record.commitment = action.commitmentNew;
        // A deposit changes nothing in the other word.
        if (rule.has(CHANGES_HEAD) || (rule.has(ActionRules.WRITES) && action.generationNew != action.generationOld)) {
            _apply(head, rule, action.generationNew, inputs.time, inputs.lineage);
            _store(record, head);
        }
    }
}
