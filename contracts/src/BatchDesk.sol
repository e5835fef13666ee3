// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {AccountBook} from "./AccountBook.sol";
import {ActionPath} from "./ActionPath.sol";
import {Delegated} from "./Delegated.sol";
import {ActionKind, ActionRules, Rule} from "./generated/ActionRules.sol";
import {Action, Messages} from "./generated/Messages.sol";
import {AttestBatchRequest, AttestRow, IBatchDesk, TradeBatchRequest, TradeRow} from "./interfaces/IBatchDesk.sol";
import {EpochPoint, TradeSide} from "./interfaces/IClearingHouse.sol";
import {IKeyRegistry} from "./interfaces/IKeyRegistry.sol";
import {BatchRow, IMarginVerifier} from "./interfaces/IMarginVerifier.sol";
import {IRiskOracle} from "./interfaces/IRiskOracle.sol";
import {IWalletSignatures} from "./interfaces/IWalletSignatures.sol";

/// @title BatchDesk
/// @notice What it does and what it relies on is written in IBatchDesk.
contract BatchDesk is ActionPath, Delegated, IBatchDesk {
    /// @dev What all rows share, and what was gathered for the verifier: the first `count` of both lists.
    struct Batch {
        Rule rule;
        uint16 keyVersion;
        uint24 generation;
        bytes32 separator; // of the domain (EIP-712), which a delegated call has to make anew
        ProofInputs inputs;
        uint256 count;
        bytes rows; // ROW_SIZE bytes each
        bytes proofs; // PROOF_SIZE bytes each
    }

    /// @dev Parts of a trade that each row fills in anew, for both sides; nothing else than a trade's fields is set.
    struct Sides {
        Action plus;
        Action minus;
        AccountHead plusHead;
        AccountHead minusHead;
    }

    /// @dev Bytes of a BatchRow and of a proof. Both are of full words, so in an array each stands as in calldata.
    uint256 private constant ROW_SIZE = 0xe0;
    uint256 private constant PROOF_SIZE = 0x100;
    /// @dev Where the rows begin in the arguments of `verifyMany`: behind eight words, its own place among them.
    uint256 private constant ROWS_OFFSET = 0x100;

    constructor(
        IKeyRegistry registry,
        IRiskOracle oracle,
        IMarginVerifier verifier,
        IWalletSignatures wallets
    ) AccountBook(registry, oracle, verifier, wallets) {}

    /// @inheritdoc IBatchDesk
    function attestBatch(AttestBatchRequest calldata request) external onlyDelegated nonReentrant returns (uint256) {
        _requireDeadline(request.deadline);
        _requireSubmitter(0, request.submitter);
        Batch memory batch = _begin(
            ActionKind.ATTEST,
            request.rows.length,
            request.keyVersion,
            request.generation,
            request.policy,
            request.epoch
        );
        Action memory action = _start(ActionKind.ATTEST); // each row fills in account and commitment, and the head
        action.submitter = request.submitter;
        AccountHead memory head;
        AttestRow[] calldata rows = request.rows;
        _fill(action, batch.rule, head, 0, 0, 0, 0, request.deadline);
        (action.keyVersion, action.generationOld) = (request.keyVersion, request.generation);
        _bind(action, batch.inputs);
        for (uint256 i = 0; i < rows.length; i++) {
            AttestRow calldata row = rows[i];
            if (_fits(batch, head, row.account, row.commitment)) {
                (action.account, action.commitmentOld) = (row.account, row.commitment);
                bytes32 digest = _digest(batch, action);
                if (_isAuthorized(batch, action, head, digest, msg.data[:0])) {
                    _put(batch, action, digest, row.proof);
                    _write(batch.rule, action, head, batch.inputs);
                    _emitAttested(action, batch.inputs);
                    continue;
                }
            }
            emit RowSkipped(i, row.account);
        }
        return _finish(batch);
    }

    /// @inheritdoc IBatchDesk
    function tradeBatch(TradeBatchRequest calldata request) external onlyDelegated nonReentrant returns (uint256) {
        Batch memory batch = _begin(
            ActionKind.TRADE,
            2 * request.rows.length,
            request.keyVersion,
            request.generation,
            0,
            request.epoch
        );
        Sides memory sides;
        TradeRow[] calldata rows = request.rows;
        uint256 total = 0;
        for (uint256 i = 0; i < rows.length; i++) {
            (bytes32 moved, uint256 fees) = _tradeRow(batch, sides, rows[i]);
            if (moved != 0) emit RowSkipped(i, moved);
            total += fees;
        }
        _addFees(total);
        return _finish(batch) / 2;
    }

    /// @dev Takes one trade in.
    /// @param sides Is filled in: a row that allocated its own would cost a thousand gas more.
    /// @return moved 0, or the account for which the row was skipped.
    /// @return fees Micro-dollars that the submitter earned.
    function _tradeRow(
        Batch memory batch,
        Sides memory sides,
        TradeRow calldata row
    ) private returns (bytes32 moved, uint256 fees) {
        TradeSide calldata plusSide = row.plus;
        TradeSide calldata minusSide = row.minus;
        if (plusSide.account == minusSide.account) revert SelfTrade(plusSide.account);
        (AccountHead memory plusHead, AccountHead memory minusHead) = (sides.plusHead, sides.minusHead);
        if (!_fitsSide(batch, plusHead, plusSide)) return (plusSide.account, 0);
        if (!_fitsSide(batch, minusHead, minusSide)) return (minusSide.account, 0);
        (Action memory plus, Action memory minus) = (sides.plus, sides.minus);
        _startSide(plus, plusSide, minusSide.account, row.tradeTag, 1);
        _startSide(minus, minusSide, plusSide.account, row.tradeTag, -1);
        bytes32 plusDigest = _fillSide(batch, plus, plusHead, plusSide);
        bytes32 minusDigest = _fillSide(batch, minus, minusHead, minusSide);
        if (!_isAuthorized(batch, plus, plusHead, plusDigest, plusSide.signature)) return (plus.account, 0);
        if (!_isAuthorized(batch, minus, minusHead, minusDigest, minusSide.signature)) return (minus.account, 0);
        _put(batch, plus, plusDigest, plusSide.proof);
        _put(batch, minus, minusDigest, minusSide.proof);
        fees = _writeTrade(batch.rule, plus, minus, plusHead, minusHead, batch.inputs);
    }

    function _fillSide(
        Batch memory batch,
        Action memory action,
        AccountHead memory head,
        TradeSide calldata side
    ) private view returns (bytes32 digest) {
        _requireSubmitter(side.account, side.submitter);
        _fill(action, batch.rule, head, side.account, side.commitmentOld, side.commitmentNew, 0, side.deadline);
        _bind(action, batch.inputs);
        return _digest(batch, action);
    }

    function _fitsSide(
        Batch memory batch,
        AccountHead memory head,
        TradeSide calldata side
    ) private view returns (bool) {
        return block.timestamp <= side.deadline && _fits(batch, head, side.account, side.commitmentOld);
    }

    /// @dev Whether the account is as the row was made for, and its lineage allows the epoch.
    /// @param head Is filled with the account's.
    function _fits(
        Batch memory batch,
        AccountHead memory head,
        bytes32 account,
        uint256 commitment
    ) private view returns (bool) {
        AccountRecord storage record = _accounts[account];
        _load(head, record);
        return
            _allows(batch.rule, head.state) &&
            head.keyVersion == batch.keyVersion &&
            head.generation == batch.generation &&
            record.commitment == commitment &&
            !_isProvenLater(batch.rule, head, batch.inputs) &&
            !_isTainted(batch.rule, head, batch.inputs);
    }

    /// @dev Whether auth has signed, and not burned, the digest, if the row of the table asks for it.
    function _isAuthorized(
        Batch memory batch,
        Action memory action,
        AccountHead memory head,
        bytes32 digest,
        bytes calldata signature
    ) private returns (bool) {
        if (!batch.rule.has(ActionRules.SIGNATURE)) return signature.length == 0;
        return !_isBurned(action.account, head.state, digest) && _isSigned(head.auth, digest, signature);
    }

    /// @dev An empty batch, with what its rows share. Errors name no account.
    /// @param length Most proofs.
    function _begin(
        ActionKind kind,
        uint256 length,
        uint16 keyVersion,
        uint24 generation,
        bytes32 policy,
        EpochPoint calldata epoch
    ) private view returns (Batch memory batch) {
        Rule rule = ActionRules.ruleOf(kind);
        if (rule.has(ActionRules.SIDES) != (kind == ActionKind.TRADE)) {
            revert SidesWrong(kind, rule.has(ActionRules.SIDES));
        }
        batch.rule = rule;
        (batch.keyVersion, batch.generation) = (keyVersion, generation);
        batch.separator = _domainSeparatorV4();
        batch.rows = new bytes(length * ROW_SIZE);
        batch.proofs = new bytes(length * PROOF_SIZE);
        Action memory shared = _start(kind);
        (shared.keyVersion, shared.generationOld) = (keyVersion, generation);
        AccountHead memory none;
        _gather(batch.inputs, rule, shared, none, policy, epoch);
    }

    function _digest(Batch memory batch, Action memory action) private pure returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(batch.separator, Messages.hash(action));
    }

    /// @dev Takes signals and proof of a row in. There is room: no action of a request is put twice.
    function _put(Batch memory batch, Action memory action, bytes32 digest, uint256[8] calldata proof) private pure {
        BatchRow memory row = BatchRow({
            commitmentOld: action.commitmentOld,
            commitmentNew: action.commitmentNew,
            tradeTag: action.tradeTag,
            ciphertext: action.ciphertext,
            side: action.side,
            context: _context(digest),
            cashFlow: action.cashFlow
        });
        (bytes memory rows, bytes memory proofs, uint256 count) = (batch.rows, batch.proofs, batch.count);
        assembly ("memory-safe") {
            // Within both arrays, which were allocated for more than `count` of each.
            mcopy(add(add(rows, 0x20), mul(count, ROW_SIZE)), row, ROW_SIZE)
            calldatacopy(add(add(proofs, 0x20), mul(count, PROOF_SIZE)), proof, PROOF_SIZE)
        }
        batch.count = count + 1;
    }

    /// @dev Checks what was gathered. The call is put together here, since the compiler would copy both arrays word by
    ///      word: 1,200 gas for each row.
    function _finish(Batch memory batch) private view returns (uint256 count) {
        (bytes memory rows, bytes memory proofs) = (batch.rows, batch.proofs);
        count = batch.count;
        if (count == 0) revert BatchEmpty(rows.length / ROW_SIZE);
        assembly ("memory-safe") {
            mstore(rows, mul(count, ROW_SIZE)) // both end after what was gathered
            mstore(proofs, mul(count, PROOF_SIZE))
        }
        ProofInputs memory inputs = batch.inputs;
        bytes memory head = abi.encodeWithSelector(
            IMarginVerifier.verifyMany.selector,
            inputs.key,
            ROWS_OFFSET,
            inputs.policy,
            inputs.settlement,
            batch.rule.has(ActionRules.WRITES),
            ROWS_OFFSET + 0x20 + rows.length
        );
        Address.functionStaticCall(address(VERIFIER), abi.encodePacked(head, count, rows, count, proofs));
    }
}
