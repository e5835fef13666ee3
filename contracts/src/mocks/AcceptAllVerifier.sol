// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Bn254, G1} from "../libraries/Bn254.sol";
import {BatchRow, IMarginVerifier, Opening, TradeSignals, Transition} from "../interfaces/IMarginVerifier.sol";

/// @title For tests alone: a verifier that accepts every proof, or none
/// @notice With it a test needs no circuit: eight zero words are a proof. It refuses everything while `rejects` is set,
///         a batch of other sizes, and a new commitment or a trade's tag that is no field element; it looks at no other
///         signal.
contract AcceptAllVerifier is IMarginVerifier {
    /// @notice Whether every proof is refused.
    bool public rejects;

    /// @notice Accepts or refuses every proof from now on.
    /// @param rejects_ Whether it refuses.
    function setRejects(bool rejects_) external {
        rejects = rejects_;
    }

    /// @inheritdoc IMarginVerifier
    function verify(
        address,
        Transition calldata transition,
        G1 calldata,
        G1 calldata,
        uint256[8] calldata
    ) external view {
        Bn254.requireSignal(transition.commitmentNew);
        _answer(transition.context);
    }

    /// @inheritdoc IMarginVerifier
    function verifyTwo(
        address,
        TradeSignals calldata trade,
        G1 calldata,
        G1 calldata,
        uint256[8] calldata,
        uint256[8] calldata
    ) external view {
        Bn254.requireSignal(trade.tradeTag);
        _answer(trade.plus.context);
    }

    /// @inheritdoc IMarginVerifier
    function verifyMany(
        address,
        BatchRow[] calldata rows,
        G1 calldata,
        G1 calldata,
        bool,
        uint256[8][] calldata proofs
    ) external view {
        if (rows.length == 0 || rows.length != proofs.length) revert BatchSizesDiffer(rows.length, proofs.length);
        _answer(rows[0].context);
    }

    /// @inheritdoc IMarginVerifier
    function verifyOpen(address, Opening calldata opening, uint256[8] calldata) external view {
        Bn254.requireSignal(opening.commitment);
        _answer(opening.context);
    }

    function _answer(uint256 context) private view {
        if (rejects) revert ProofRejected(context);
    }
}
