// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {Groth16Checks} from "./Groth16Checks.sol";
import {Flow} from "./generated/Messages.sol";
import {Statement} from "./generated/Statement.sol";
import {
    BatchRow,
    IMarginVerifier,
    Opening,
    SideSignals,
    TradeSignals,
    Transition
} from "./interfaces/IMarginVerifier.sol";
import {Bn254, G1, G1Place} from "./libraries/Bn254.sol";
import {KeyData, KeyHead} from "./libraries/KeyData.sol";

/// @title MarginVerifier
/// @notice What it does and what it relies on is written in IMarginVerifier.
contract MarginVerifier is Groth16Checks, IMarginVerifier, ERC165 {
    using Bn254 for G1;
    using Bn254 for G1Place;
    using KeyData for KeyHead;

    /// @dev Points that a batch reads of the key: of the constant, the fixed signals and the cash flow.
    uint256 private constant STORED_POINTS = Statement.FIXED_POINTS + 1;

    /// @inheritdoc IMarginVerifier
    function verify(
        address key,
        Transition calldata transition,
        G1 calldata policy,
        G1 calldata settlement,
        uint256[8] calldata proof
    ) external view {
        KeyHead head = KeyData.load(key, STORED_POINTS);
        G1Place sum = head.ic(0); // grows in place: IC[0] is not needed again
        _addShared(sum, head, policy, settlement, transition.write);
        if (transition.side == 1) sum.add(head.ic(Statement.SIDE));
        else if (transition.side == -1) sum.add(_negated(head.ic(Statement.SIDE)));
        else if (transition.side != 0) revert SideUnknown(transition.side);
        _addSignal(sum, head.ic(Statement.COMMITMENT_OLD), transition.commitmentOld);
        _addSignal(sum, head.ic(Statement.COMMITMENT_NEW), transition.commitmentNew);
        _addSignal(sum, head.ic(Statement.TRADE_TAG), transition.tradeTag);
        _addSignal(sum, head.ic(Statement.CIPHERTEXT), transition.ciphertext);
        _addSignal(sum, head.ic(Statement.CONTEXT), transition.context);
        if (transition.cashFlow != 0) {
            sum.addProduct(head.ic(Statement.CASH_FLOW), Bn254.toField(transition.cashFlow));
        }
        for (uint256 i = 0; i < transition.flows.length; i++) {
            Flow calldata flow = transition.flows[i];
            sum.addProduct(KeyData.loadPoint(key, Statement.FLOW + flow.slot).place(), Bn254.toField(flow.lots));
        }
        if (!_checkOne(head, sum, proof)) revert ProofRejected(transition.context);
    }

    /// @inheritdoc IMarginVerifier
    function verifyTwo(
        address key,
        TradeSignals calldata trade,
        G1 calldata policy,
        G1 calldata settlement,
        uint256[8] calldata plusProof,
        uint256[8] calldata minusProof
    ) external view {
        KeyHead head = KeyData.load(key, STORED_POINTS);
        uint256 rho = _hashAll(head, KeyData.size(STORED_POINTS)) % Bn254.R;
        uint256 both = addmod(rho, 1, Bn254.R);

        // The shared terms, and -IC of side, times 1 + rho; then 2 IC of side, and the other signals.
        G1Place sum = head.ic(0);
        _addShared(sum, head, policy, settlement, true);
        G1Place side = head.ic(Statement.SIDE);
        sum.add(_negated(side));
        sum.scale(both);
        sum.add(side);
        sum.add(side);
        Bn254.requireSignal(trade.tradeTag);
        sum.addProduct(head.ic(Statement.TRADE_TAG), mulmod(trade.tradeTag, both, Bn254.R));
        SideSignals calldata plus = trade.plus;
        SideSignals calldata minus = trade.minus;
        _addBoth(sum, head.ic(Statement.COMMITMENT_OLD), plus.commitmentOld, minus.commitmentOld, rho);
        _addBoth(sum, head.ic(Statement.COMMITMENT_NEW), plus.commitmentNew, minus.commitmentNew, rho);
        _addBoth(sum, head.ic(Statement.CIPHERTEXT), plus.ciphertext, minus.ciphertext, rho);
        _addBoth(sum, head.ic(Statement.CONTEXT), plus.context, minus.context, rho);
        if (plus.cashFlow != 0 || minus.cashFlow != 0) {
            uint256 cash = Bn254.toField(plus.cashFlow);
            _addBoth(sum, head.ic(Statement.CASH_FLOW), cash, Bn254.toField(minus.cashFlow), rho);
        }

        if (!_checkTwo(head, sum, plusProof, minusProof, rho, both)) revert ProofRejected(plus.context);
    }

    /// @inheritdoc IMarginVerifier
    function verifyMany(
        address key,
        BatchRow[] calldata rows,
        G1 calldata policy,
        G1 calldata settlement,
        bool write,
        uint256[8][] calldata proofs
    ) external view {
        uint256 count = rows.length;
        if (count == 0 || count != proofs.length) revert BatchSizesDiffer(count, proofs.length);
        KeyHead head = KeyData.load(key, STORED_POINTS);
        uint256 rho = 1 + (_hashAll(head, KeyData.size(STORED_POINTS)) % (Bn254.R - 1));
        uint256 input = _reserve(count + 3);

        // Row i weighs rho^i: its signals are summed as numbers, its A and C as points.
        uint256[] memory sums = new uint256[](STORED_POINTS);
        G1Place c = _putFirst(input, proofs[0]);
        _addRow(sums, rows[0], 1);
        uint256 weight = 1;
        for (uint256 i = 1; i < count; i++) {
            weight = mulmod(weight, rho, Bn254.R);
            _addRow(sums, rows[i], weight);
            _putNext(input + PAIR * i, proofs[i], weight, c);
        }

        // One product for each signal, with what all rows share.
        G1Place sum = head.ic(0);
        _addShared(sum, head, policy, settlement, write);
        sum.scale(sums[0]);
        for (uint256 i = 1; i < STORED_POINTS; i++) {
            if (sums[i] != 0) sum.addProduct(head.ic(i), sums[i]);
        }
        head.alpha().scale(sums[0]);
        _putShared(input + PAIR * count, head, sum, c);
        if (!_isOne(input, count + 3)) revert ProofRejected(rows[0].context);
    }

    /// @inheritdoc IMarginVerifier
    function verifyOpen(address key, Opening calldata opening, uint256[8] calldata proof) external view {
        KeyHead head = KeyData.load(key, Statement.OPEN_POINTS);
        G1Place sum = head.ic(0);
        _addSignal(sum, head.ic(Statement.OPEN_COMMITMENT), opening.commitment);
        _addSignal(sum, head.ic(Statement.OPEN_EPHEMERAL_X), opening.ephemeralX);
        _addSignal(sum, head.ic(Statement.OPEN_EPHEMERAL_Y), opening.ephemeralY);
        _addSignal(sum, head.ic(Statement.OPEN_ESCROWED_KEY), opening.escrowedKey);
        _addSignal(sum, head.ic(Statement.OPEN_CONTEXT), opening.context);
        if (!_checkOne(head, sum, proof)) revert ProofRejected(opening.context);
    }

    /// @inheritdoc ERC165
    function supportsInterface(bytes4 interfaceId) public view virtual override returns (bool) {
        return interfaceId == type(IMarginVerifier).interfaceId || super.supportsInterface(interfaceId);
    }

    /// @dev Adds policy, settlement and write. Adding the identity changes nothing and is left out.
    function _addShared(
        G1Place sum,
        KeyHead head,
        G1 calldata policy,
        G1 calldata settlement,
        bool write
    ) private view {
        if (write) sum.add(head.ic(Statement.WRITE));
        if (policy.x != 0 || policy.y != 0) sum.add(_copy(policy).place());
        if (settlement.x != 0 || settlement.y != 0) sum.add(_copy(settlement).place());
    }

    function _negated(G1Place point) private pure returns (G1Place) {
        G1 memory copy;
        assembly ("memory-safe") {
            mcopy(copy, point, 0x40)
        }
        return copy.negate().place();
    }

    function _copy(G1 calldata point) private pure returns (G1 memory) {
        return point;
    }

    /// @dev Adds (plus + rho * minus) * point, after both have been checked to lie below R.
    function _addBoth(G1Place sum, G1Place point, uint256 plus, uint256 minus, uint256 rho) private view {
        Bn254.requireSignal(plus);
        Bn254.requireSignal(minus);
        sum.addProduct(point, addmod(plus, mulmod(rho, minus, Bn254.R), Bn254.R));
    }

    /// @dev keccak256(points of the key, calldata), of which challenges are made; see IMarginVerifier.
    function _hashAll(KeyHead head, uint256 length) private pure returns (uint256 digest) {
        assembly ("memory-safe") {
            let input := mload(0x40)
            mcopy(input, head, length)
            calldatacopy(add(input, length), 0, calldatasize())
            digest := keccak256(input, add(length, calldatasize()))
        }
    }

    /// @dev Adds weight times each signal of a row to the signal's sum; sums[0] is that of the weights.
    function _addRow(uint256[] memory sums, BatchRow calldata row, uint256 weight) private pure {
        if (row.side < -1 || row.side > 1) revert SideUnknown(row.side);
        sums[0] = addmod(sums[0], weight, Bn254.R);
        _weigh(sums, Statement.COMMITMENT_OLD, row.commitmentOld, weight);
        _weigh(sums, Statement.COMMITMENT_NEW, row.commitmentNew, weight);
        _weigh(sums, Statement.TRADE_TAG, row.tradeTag, weight);
        _weigh(sums, Statement.CIPHERTEXT, row.ciphertext, weight);
        _weigh(sums, Statement.SIDE, Bn254.toField(row.side), weight);
        _weigh(sums, Statement.CONTEXT, row.context, weight);
        _weigh(sums, Statement.CASH_FLOW, Bn254.toField(row.cashFlow), weight);
    }

    /// @dev Adds weight times value to the sum of the signal at `index`, which is below STORED_POINTS.
    function _weigh(uint256[] memory sums, uint256 index, uint256 value, uint256 weight) private pure {
        if (value == 0) return;
        Bn254.requireSignal(value);
        uint256 order = Bn254.R;
        assembly ("memory-safe") {
            // Within the list: it has STORED_POINTS words behind its length.
            let place := add(sums, mul(0x20, add(index, 1)))
            mstore(place, addmod(mload(place), mulmod(weight, value, order), order))
        }
    }

    /// @dev Writes -weight A, B of a later proof as an entry of the pairing, and adds weight C to `c`.
    function _putNext(uint256 entry, uint256[8] calldata proof, uint256 weight, G1Place c) private view {
        assembly ("memory-safe") {
            calldatacopy(entry, proof, 0xc0)
        }
        G1Place.wrap(entry).scale(Bn254.R - weight);
        c.addProduct(G1(proof[6], proof[7]).place(), weight);
    }

    /// @dev e(-A_1, B_1) e(-rho A_2, B_2) e((1 + rho) alpha, beta) e(sum, gamma) e(C_1 + rho C_2, delta) = 1.
    function _checkTwo(
        KeyHead head,
        G1Place sum,
        uint256[8] calldata plus,
        uint256[8] calldata minus,
        uint256 rho,
        uint256 both
    ) private view returns (bool) {
        uint256 input = _reserve(5);
        G1Place c = _putFirst(input, plus);
        _putNext(input + PAIR, minus, rho, c);
        head.alpha().scale(both);
        _putShared(input + 2 * PAIR, head, sum, c);
        return _isOne(input, 5);
    }
}
