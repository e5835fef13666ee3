// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {AccountBook} from "./AccountBook.sol";
import {ActionPath} from "./ActionPath.sol";
import {ActionKind, ActionRules, Rule} from "./generated/ActionRules.sol";
import {Action, Messages} from "./generated/Messages.sol";
import {IAccountDesk} from "./interfaces/IAccountDesk.sol";
import {Status} from "./interfaces/IAccountBook.sol";
import {AttestBatchRequest, AttestRow, IBatchDesk, TradeBatchRequest, TradeRow} from "./interfaces/IBatchDesk.sol";
import {TradeSide} from "./interfaces/IClearingHouse.sol";
import {IKeyRegistry} from "./interfaces/IKeyRegistry.sol";
import {BatchRow, IMarginVerifier} from "./interfaces/IMarginVerifier.sol";
import {IRiskOracle} from "./interfaces/IRiskOracle.sol";
import {IWalletSignatures} from "./interfaces/IWalletSignatures.sol";

/// @title BatchDesk
/// @notice What it does and what it relies on is written in IBatchDesk.
contract BatchDesk is ActionPath, IBatchDesk {
    /// @dev What was gathered for the verifier: the first `count` of both lists.
    struct Batch {
        uint256 count;
        BatchRow[] rows;
        uint256[8][] proofs;
        uint256 fees; // micro-dollars
        bytes32 separator; // of the domain (EIP-712), which a delegated call has to make anew
    }

    /// @dev This contract's own address, which is not `address(this)` in a delegated call.
    address private immutable SELF = address(this);

    constructor(
        IKeyRegistry registry,
        IRiskOracle oracle,
        IMarginVerifier verifier,
        IWalletSignatures wallets
    ) AccountBook(registry, oracle, verifier, wallets) {}

    /// @inheritdoc IBatchDesk
    function attestBatch(AttestBatchRequest calldata request) external nonReentrant returns (uint256) {
        if (address(this) == SELF) revert IAccountDesk.OnlyDelegated();
        Rule rule = ActionRules.ruleOf(ActionKind.ATTEST);
        Action memory action = _start(ActionKind.ATTEST); // filled in anew by each row, like the head
        action.submitter = request.submitter;
        AccountHead memory head;
        ProofInputs memory inputs;
        Batch memory batch = _makeBatch(request.rows.length);
        for (uint256 i = 0; i < request.rows.length; i++) {
            AttestRow calldata row = request.rows[i];
            if (!_fits(rule, row.account, row.commitment, request.keyVersion, request.generation)) {
                emit RowSkipped(i, row.account);
                continue;
            }
            _draft(action, rule, head, row.account, row.commitment, 0, 0, request.deadline);
            if (batch.count == 0) inputs = _proofInputs(rule, action, head, request.policy, request.epoch);
            _bind(rule, action, head, inputs);
            _put(batch, action, _digest(batch, action), row.proof);
            _write(rule, action, head, inputs);
            emit Attested(action.account, action.policy, action.epoch, inputs.time, inputs.pointHash, msg.sender);
        }
        return _finish(rule, batch, inputs);
    }

    /// @inheritdoc IBatchDesk
    function tradeBatch(TradeBatchRequest calldata request) external nonReentrant returns (uint256) {
        if (address(this) == SELF) revert IAccountDesk.OnlyDelegated();
        Rule rule = ActionRules.ruleOf(ActionKind.TRADE);
        ProofInputs memory inputs;
        Batch memory batch = _makeBatch(2 * request.rows.length);
        for (uint256 i = 0; i < request.rows.length; i++) {
            bytes32 moved = _tradeRow(rule, batch, inputs, request, request.rows[i]);
            if (moved != 0) emit RowSkipped(i, moved);
        }
        if (batch.fees != 0) _fees[msg.sender] += batch.fees;
        return _finish(rule, batch, inputs) / 2;
    }

    /// @dev Takes one trade in. `inputs` is filled in, as an argument, by the first one that is not skipped.
    /// @return moved 0, or the account for which the row was skipped.
    function _tradeRow(
        Rule rule,
        Batch memory batch,
        ProofInputs memory inputs,
        TradeBatchRequest calldata request,
        TradeRow calldata row
    ) private returns (bytes32 moved) {
        TradeSide calldata plusSide = row.plus;
        TradeSide calldata minusSide = row.minus;
        if (plusSide.account == minusSide.account) revert SelfTrade(plusSide.account);
        if (!_fitsSide(rule, plusSide, request)) return plusSide.account;
        if (!_fitsSide(rule, minusSide, request)) return minusSide.account;
        Action memory plus = _start(ActionKind.TRADE);
        Action memory minus = _start(ActionKind.TRADE);
        AccountHead memory plusHead;
        AccountHead memory minusHead;
        _draftSide(plus, rule, plusHead, plusSide, minusSide.account, row.tradeTag, 1);
        _draftSide(minus, rule, minusHead, minusSide, plusSide.account, row.tradeTag, -1);
        if (batch.count == 0) _copyInputs(inputs, _proofInputs(rule, plus, plusHead, 0, request.epoch));
        _bind(rule, plus, plusHead, inputs);
        _bind(rule, minus, minusHead, inputs);
        bytes32 plusDigest = _digest(batch, plus);
        if (!_isAuthorized(plus.account, plusHead, plusDigest, plusSide.signature)) return plus.account;
        bytes32 minusDigest = _digest(batch, minus);
        if (!_isAuthorized(minus.account, minusHead, minusDigest, minusSide.signature)) return minus.account;
        _put(batch, plus, plusDigest, plusSide.proof);
        _put(batch, minus, minusDigest, minusSide.proof);
        _write(rule, plus, plusHead, inputs);
        _write(rule, minus, minusHead, inputs);
        batch.fees += uint256(plus.fee) + minus.fee;
        emit Traded(
            plus.account,
            minus.account,
            plus.epoch,
            plus.generationNew,
            row.tradeTag,
            plus.commitmentNew,
            plus.ciphertext,
            plus.fee,
            minus.commitmentNew,
            minus.ciphertext,
            minus.fee,
            msg.sender
        );
    }

    function _fitsSide(
        Rule rule,
        TradeSide calldata side,
        TradeBatchRequest calldata request
    ) private view returns (bool) {
        return
            block.timestamp <= side.deadline &&
            _fits(rule, side.account, side.commitmentOld, request.keyVersion, request.generation);
    }

    /// @dev Whether the account is as the row was made for.
    function _fits(
        Rule rule,
        bytes32 account,
        uint256 commitment,
        uint16 keyVersion,
        uint24 generation
    ) private view returns (bool) {
        AccountRecord storage record = _accounts[account];
        AccountHead memory head;
        _load(head, record);
        Status status = _statusOf(head.state);
        return
            (status == Status.ACTIVE || (status == Status.FROZEN && rule.has(ActionRules.FROZEN))) &&
            head.keyVersion == keyVersion &&
            head.generation == generation &&
            record.commitment == commitment;
    }

    function _makeBatch(uint256 length) private view returns (Batch memory batch) {
        batch.separator = _domainSeparatorV4();
        batch.rows = new BatchRow[](length);
        batch.proofs = new uint256[8][](length);
    }

    function _digest(Batch memory batch, Action memory action) private pure returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(batch.separator, Messages.hash(action));
    }

    function _put(Batch memory batch, Action memory action, bytes32 digest, uint256[8] calldata proof) private pure {
        BatchRow memory row = batch.rows[batch.count];
        row.commitmentOld = action.commitmentOld;
        row.commitmentNew = action.commitmentNew;
        row.tradeTag = action.tradeTag;
        row.ciphertext = action.ciphertext;
        row.side = action.side;
        row.context = _context(digest);
        row.cashFlow = action.cashFlow;
        batch.proofs[batch.count] = proof;
        batch.count += 1;
    }

    function _copyInputs(ProofInputs memory to, ProofInputs memory from) private pure {
        (to.key, to.slots, to.generation) = (from.key, from.slots, from.generation);
        (to.epoch, to.lineage) = (from.epoch, from.lineage);
        (to.time, to.revokedUpTo) = (from.time, from.revokedUpTo);
        (to.policyName, to.pointHash) = (from.policyName, from.pointHash);
        (to.policy, to.settlement) = (from.policy, from.settlement);
    }

    /// @dev Checks what was gathered.
    function _finish(Rule rule, Batch memory batch, ProofInputs memory inputs) private view returns (uint256 count) {
        (BatchRow[] memory rows, uint256[8][] memory proofs) = (batch.rows, batch.proofs);
        count = batch.count;
        if (count == 0) revert BatchEmpty(rows.length);
        assembly ("memory-safe") {
            mstore(rows, count) // both lists end after what was gathered
            mstore(proofs, count)
        }
        bool writes = rule.has(ActionRules.WRITES);
        VERIFIER.verifyMany(inputs.key, rows, inputs.policy, inputs.settlement, writes, proofs);
    }
}
