// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";
import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {ActionKind, ActionRules, Rule} from "./generated/ActionRules.sol";
import {Action, Messages} from "./generated/Messages.sol";
import {IAccountBook, Status} from "./interfaces/IAccountBook.sol";
import {IAccountViews, Proved} from "./interfaces/IAccountViews.sol";
import {
    ActionRequest,
    IClearingHouse,
    Margin,
    MarginAccount,
    PolicyAttestation,
    TradeRequest,
    TradeSide
} from "./interfaces/IClearingHouse.sol";
import {IKeyRegistry} from "./interfaces/IKeyRegistry.sol";
import {IRiskOracle} from "./interfaces/IRiskOracle.sol";
import {Amounts} from "./libraries/Amounts.sol";
import {Attestations} from "./libraries/Attestations.sol";

/// @title AccountViews
/// @notice What it shows and what it relies on is written in IAccountViews.
contract AccountViews is IAccountViews, ERC165 {
    /// @inheritdoc IAccountViews
    IClearingHouse public immutable HOUSE;
    IKeyRegistry private immutable REGISTRY;
    IRiskOracle private immutable ORACLE;

    constructor(IClearingHouse house, IKeyRegistry registry, IRiskOracle oracle) {
        (HOUSE, REGISTRY, ORACLE) = (house, registry, oracle);
    }

    // ------------------------------------------------------------------ what was proved

    /// @inheritdoc IAccountViews
    function isCurrent(bytes32 account, uint256 maxAge) external view returns (bool) {
        Proved memory proved = provedOf(account);
        // An epoch's time may lead the chain's by the oracle's skew; it then counts as of now.
        return proved.epoch != 0 && (block.timestamp <= proved.time || block.timestamp - proved.time <= maxAge);
    }

    /// @inheritdoc IAccountViews
    function provedOf(bytes32 account) public view returns (Proved memory proved) {
        MarginAccount memory stored = HOUSE.accountOf(account);
        if (!_isShown(stored)) return proved;
        if (stored.margin != Margin.NONE && _counts(stored.provenEpoch)) {
            proved = Proved(_nameOf(stored.margin), stored.provenAt, stored.provenEpoch);
        }
        (uint40 time, uint64 epoch) = _findAttestation(account, stored, ActionRules.NAME_MAINTENANCE, 0);
        if (epoch > proved.epoch) proved = Proved(ActionRules.NAME_MAINTENANCE, time, epoch);
    }

    /// @inheritdoc IAccountViews
    function attested(
        bytes32 account,
        bytes32 policy,
        bytes32 pointHash
    ) external view returns (uint40 time, uint64 epoch) {
        MarginAccount memory stored = HOUSE.accountOf(account);
        if (_isShown(stored)) return _findAttestation(account, stored, policy, pointHash);
    }

    /// @inheritdoc IAccountViews
    function stepsBehind(bytes32 account) external view returns (uint24) {
        return ORACLE.generation() - HOUSE.accountOf(account).generation;
    }

    // ------------------------------------------------------------------ what is signed

    /// @inheritdoc IAccountViews
    function digestOf(ActionKind kind, ActionRequest calldata request, uint24 steps) external view returns (bytes32) {
        Rule rule = ActionRules.ruleOf(kind);
        if (rule.has(ActionRules.SIDES)) revert IAccountBook.SidesWrong(kind, true);
        if (steps != 0 && !rule.has(ActionRules.EPOCH_STEPS)) revert IAccountBook.FieldNotTaken(kind, "steps");
        Action memory action;
        action.kind = uint8(kind);
        action.account = request.account;
        action.commitmentOld = request.commitmentOld;
        action.commitmentNew = request.commitmentNew;
        action.recipient = request.recipient;
        action.submitter = request.submitter;
        action.fee = request.fee;
        action.deadline = request.deadline;
        action.flows = request.flows;
        action.cashFlow = Amounts.toCashFlow(action, rule, request.cash);
        action.policy = rule.has(ActionRules.POLICY_CHOSEN) ? request.policy : rule.policyName();
        return _digest(rule, action, request.epoch.number, steps);
    }

    /// @inheritdoc IAccountViews
    function digestsOf(TradeRequest calldata request) external view returns (bytes32 plus, bytes32 minus) {
        plus = _digestSide(request, request.plus, request.minus.account, 1);
        minus = _digestSide(request, request.minus, request.plus.account, -1);
    }

    /// @inheritdoc ERC165
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(IAccountViews).interfaceId || super.supportsInterface(interfaceId);
    }

    function _digestSide(
        TradeRequest calldata request,
        TradeSide calldata given,
        bytes32 counterparty,
        int8 side
    ) private view returns (bytes32) {
        Rule rule = ActionRules.ruleOf(ActionKind.TRADE);
        Action memory action;
        action.kind = uint8(ActionKind.TRADE);
        action.account = given.account;
        action.counterparty = counterparty;
        action.commitmentOld = given.commitmentOld;
        action.commitmentNew = given.commitmentNew;
        action.tradeTag = request.tradeTag;
        action.ciphertext = given.ciphertext;
        action.side = side;
        action.submitter = given.submitter;
        action.fee = given.fee;
        action.deadline = given.deadline;
        action.cashFlow = Amounts.toCashFlow(action, rule, 0);
        action.policy = rule.policyName();
        return _digest(rule, action, request.epoch.number, 0);
    }

    /// @dev Fills in what is stored of account and epoch.
    function _digest(Rule rule, Action memory action, uint64 epoch, uint24 steps) private view returns (bytes32) {
        MarginAccount memory stored = HOUSE.accountOf(action.account);
        action.keyVersion = stored.keyVersion;
        action.generationOld = stored.generation;
        action.generationNew = stored.generation + steps;
        if (rule.has(ActionRules.EPOCH_EXIT | ActionRules.EPOCH_PROOF)) {
            action.epoch = epoch;
            action.generationNew = ORACLE.getEpoch(epoch).generation;
        }
        (
            bytes1 fields,
            string memory name,
            string memory version,
            uint256 chainId,
            address house,
            bytes32 salt,

        ) = IERC5267(address(HOUSE)).eip712Domain();
        bytes32 domain = MessageHashUtils.toDomainSeparator(fields, name, version, chainId, house, salt);
        return MessageHashUtils.toTypedDataHash(domain, Messages.hash(action));
    }

    // ------------------------------------------------------------------ parts

    /// @dev Zeros unless there is one of that state and content, at an epoch that counts.
    function _findAttestation(
        bytes32 account,
        MarginAccount memory stored,
        bytes32 policy,
        bytes32 pointHash
    ) private view returns (uint40, uint64) {
        PolicyAttestation memory kept = HOUSE.attestationOf(account, policy);
        bool isOf = kept.tag == Attestations.tag(stored.commitment, stored.keyVersion, policy, pointHash);
        return isOf && _counts(kept.epoch) ? (kept.time, kept.epoch) : (0, 0);
    }

    /// @dev Of a state that a revoked epoch may have made nothing is shown, whatever it attested since.
    function _isShown(MarginAccount memory stored) private view returns (bool) {
        return
            stored.status == Status.ACTIVE &&
            REGISTRY.isLive(stored.keyVersion) &&
            !ORACLE.isRevoked(stored.provenEpoch);
    }

    /// @dev Whether an epoch was neither superseded nor revoked. A step of the listing supersedes all before it, so
    ///      what was proved at an epoch that counts was proved at the listing in force.
    function _counts(uint64 epoch) private view returns (bool) {
        return epoch != 0 && epoch >= ORACLE.minEpoch() && !ORACLE.isRevoked(epoch);
    }

    function _nameOf(Margin margin) private pure returns (bytes32) {
        if (margin == Margin.INITIAL) return ActionRules.NAME_INITIAL;
        return margin == Margin.WITHDRAW ? ActionRules.NAME_WITHDRAW : ActionRules.NAME_MAINTENANCE;
    }
}
