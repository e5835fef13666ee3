// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {G1} from "../libraries/Bn254.sol";
import {Flow} from "../generated/Messages.sol";

/// @notice The signals of one `transition` that differ from account to account.
/// @param commitmentOld Commitment of the state before.
/// @param commitmentNew Commitment of the state after; 0 when nothing is written.
/// @param tradeTag Salted hash of the trade word; 0 without a trade.
/// @param ciphertext The trade word, encrypted to the account; 0 without a trade.
/// @param side +1, -1, or 0 without a trade.
/// @param write Whether a new commitment is written.
/// @param context The top 248 bits of the digest that auth signs.
/// @param cashFlow Micro-dollars into the account (+) or out of it (-).
/// @param flows Lots of collateral by slot, with their sign.
struct Transition {
    uint256 commitmentOld;
    uint256 commitmentNew;
    uint256 tradeTag;
    uint256 ciphertext;
    int8 side;
    bool write;
    uint256 context;
    int128 cashFlow;
    Flow[] flows;
}

/// @notice The signals of one side of a trade; side, write and trade tag are given by its place.
/// @param commitmentOld Commitment of the state before.
/// @param commitmentNew Commitment of the state after.
/// @param ciphertext The trade word, encrypted to the account.
/// @param context The top 248 bits of the digest that auth signs.
/// @param cashFlow Micro-dollars into the account (+) or out of it (-): minus the fee.
struct SideSignals {
    uint256 commitmentOld;
    uint256 commitmentNew;
    uint256 ciphertext;
    uint256 context;
    int128 cashFlow;
}

/// @notice Both sides of a trade; both write.
/// @param tradeTag Salted hash of the trade word, the same on both sides.
/// @param plus The side +1.
/// @param minus The side -1.
struct TradeSignals {
    uint256 tradeTag;
    SideSignals plus;
    SideSignals minus;
}

/// @notice The signals of one proof of a batch that differ from row to row.
/// @param commitmentOld Commitment of the state before.
/// @param commitmentNew Commitment of the state after; 0 when nothing is written.
/// @param tradeTag Salted hash of the trade word; 0 without a trade.
/// @param ciphertext The trade word, encrypted to the account; 0 without a trade.
/// @param side +1, -1, or 0 without a trade.
/// @param context The top 248 bits of the digest that auth signs.
/// @param cashFlow Micro-dollars into the account (+) or out of it (-): minus the fee.
struct BatchRow {
    uint256 commitmentOld;
    uint256 commitmentNew;
    uint256 tradeTag;
    uint256 ciphertext;
    int8 side;
    uint256 context;
    int128 cashFlow;
}

/// @notice The signals of `open` that differ from opening to opening; the committee's key stands in the key's constant.
/// @param commitment Commitment to the empty state.
/// @param ephemeralX Ephemeral point of the escrow.
/// @param ephemeralY Its other coordinate.
/// @param escrowedKey The viewing key, encrypted to the committee.
/// @param context The top 248 bits of the digest that auth signs.
struct Opening {
    uint256 commitment;
    uint256 ephemeralX;
    uint256 ephemeralY;
    uint256 escrowedKey;
    uint256 context;
}

/// @title Checks Groth16 proofs of the statement. Holds no state: the key is named in each call
/// @notice A call returns if every proof is accepted, and reverts otherwise. A proof is eight words: A (x, y), B (x
///         imaginary, x real, y imaginary, y real), C (x, y).
/// @dev Safety assumptions
///      - `key` is a data contract written by the KeyRegistry, whose checks hold. A caller who names any other address
///        gets no meaning.
///      - The policy and settlement points are sums of scalar times IC point over data the caller trusts: whoever
///        chooses a point freely can make any proof pass. ClearingHouse takes them from a quorum-signed epoch or the
///        registry.
///      - The discrete logarithm problem is hard on BN254 (about 100 bits) and the key's set-up was honest.
///      Liveness assumptions
///      - The precompiles of EIP-196 and EIP-197 exist, at no more than three times the prices of EIP-1108: that is all
///        the gas they are given, so that a malformed proof burns at most that and not 63/64 of the transaction's.
///
///      Every call reverts with `ProofRejected`, `ProofMalformed`, with `SignalTooLarge`, `PointRefused` or `GasTooLow`
///      of Bn254, or with `KeyMissing` of KeyData.
interface IMarginVerifier {
    /// @notice A proof does not match its public signals; of several proofs, any one.
    /// @param context Context of the proof; of several, the first one's.
    error ProofRejected(uint256 context);

    /// @notice The pairing precompile refused a point (off its curve, outside its subgroup, or a coordinate not below
    ///         the field's order), or gave no answer.
    error ProofMalformed();

    /// @notice A batch needs as many proofs as rows, and at least one.
    /// @param rows Number of rows.
    /// @param proofs Number of proofs.
    error BatchSizesDiffer(uint256 rows, uint256 proofs);

    /// @notice A side that is not -1, 0 or +1.
    /// @param side The side.
    error SideUnknown(int8 side);

    /// @notice Checks one `transition` proof. Anyone may call.
    /// @dev Reverts as the interface says, and with `SideUnknown`.
    ///      Warning: it means something only if key, policy and settlement come from whom the caller trusts.
    /// @param key Data contract of the `transition` key.
    /// @param transition The signals that differ from account to account.
    /// @param policy The policy point; (0, 0) is the all-zero policy.
    /// @param settlement The settlement point; (0, 0) is the identity settlement.
    /// @param proof The proof, eight words.
    function verify(
        address key,
        Transition calldata transition,
        G1 calldata policy,
        G1 calldata settlement,
        uint256[8] calldata proof
    ) external view;

    /// @notice Checks both sides of a trade at once, under one key, one policy, one settlement and one trade tag.
    ///         Anyone may call.
    /// @dev For a third of the price of a second check. Reverts as the interface says.
    ///      Soundness: let E_i be the quotient of the two sides of proof i's equation e(A_i, B_i) = e(alpha, beta)
    ///      e(X_i, gamma) e(C_i, delta), X_i the sum over its public signals; E_i is in G_T, of prime order R, and is 1
    ///      exactly if proof i is valid. The call accepts if E_1 * E_2^rho = 1 (the pairing product below is this one,
    ///      by bilinearity), rho = keccak256(key's points, calldata) mod R. The calldata holds the key's address, both
    ///      sides' signals, both shared points and both proofs, so E_1 and E_2 are fixed before rho is drawn. If E_2 is
    ///      not 1, exactly one rho modulo R is accepted; if E_2 is 1, then only E_1 = 1 is. As keccak256 mod R takes
    ///      each value with probability below 2^-251, whoever tries q calldatas gets a false pair accepted with
    ///      probability below q * 2^-251 in the random-oracle model. Both sides share T, policy, settlement, the
    ///      constant and write, whose terms are therefore multiplied by 1 + rho once; side is +1 and -1, so its term is
    ///      (1 - rho) IC = 2 IC - (1 + rho) IC, and -IC joins the shared terms.
    ///      Warning: it means something only if key, policy and settlement come from whom the caller trusts.
    /// @param key Data contract of the `transition` key.
    /// @param trade The signals of both sides.
    /// @param policy The policy point; (0, 0) is the all-zero policy.
    /// @param settlement The settlement point; (0, 0) is the identity settlement.
    /// @param plusProof The proof of the side +1, eight words.
    /// @param minusProof The proof of the side -1, eight words.
    function verifyTwo(
        address key,
        TradeSignals calldata trade,
        G1 calldata policy,
        G1 calldata settlement,
        uint256[8] calldata plusProof,
        uint256[8] calldata minusProof
    ) external view;

    /// @notice Checks the proofs of many accounts at once, under one key, one policy and one settlement, with one
    ///         pairing for each and three more. Anyone may call.
    /// @dev Reverts as the interface says, and with `BatchSizesDiffer` or `SideUnknown`.
    ///      Soundness: with E_i as in `verifyTwo`, i = 0 .. N - 1, the call accepts if the product of E_i^(rho^i) is 1,
    ///      rho = 1 + keccak256(key's points, calldata) mod (R - 1). The calldata holds the key's address, every row's
    ///      signals, both shared points and every proof, so all E_i are fixed before rho is drawn. With g a generator
    ///      of G_T and E_i = g^(x_i), acceptance says that rho is a root of the polynomial sum_i x_i rho^i, which has
    ///      at most N - 1 roots unless every x_i is 0, that is, unless every proof is valid. As each value of rho has
    ///      probability below 2^-251, whoever tries q calldatas gets a batch with a false proof accepted with
    ///      probability below q * (N - 1) * 2^-251 in the random-oracle model. rho is never 0, which would leave out
    ///      all rows but the first.
    ///      Warning: it means something only if key, policy and settlement come from whom the caller trusts. A refusal
    ///      does not say which proof is at fault: ask for each one with `verify`.
    /// @param key Data contract of the `transition` key.
    /// @param rows The signals that differ from row to row, at least one; a row may stand twice.
    /// @param policy The policy point; (0, 0) is the all-zero policy.
    /// @param settlement The settlement point; (0, 0) is the identity settlement.
    /// @param write Whether the rows write a new commitment.
    /// @param proofs The proof of each row, eight words.
    function verifyMany(
        address key,
        BatchRow[] calldata rows,
        G1 calldata policy,
        G1 calldata settlement,
        bool write,
        uint256[8][] calldata proofs
    ) external view;

    /// @notice Checks one `open` proof. Anyone may call.
    /// @dev Reverts as the interface says.
    ///      Warning: it means something only if the key comes from whom the caller trusts.
    /// @param key Data contract of the `open` key, as the registry stored it: for one committee.
    /// @param opening The signals.
    /// @param proof The proof, eight words.
    function verifyOpen(address key, Opening calldata opening, uint256[8] calldata proof) external view;
}
