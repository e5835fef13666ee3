// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {EpochPoint, TradeSide} from "./IClearingHouse.sol";

/// @notice One attestation of a batch.
/// @param account The account.
/// @param commitment Commitment that the proof is of; the row is skipped if the account has another.
/// @param proof Groth16 proof of `transition`, eight words as IMarginVerifier says.
struct AttestRow {
    bytes32 account;
    uint256 commitment;
    uint256[8] proof;
}

/// @notice Attestations of many accounts to one policy at one epoch.
/// @param policy Name of the policy.
/// @param keyVersion Key version of the accounts; rows of others are skipped.
/// @param generation Version of the listing that they are at; rows of others are skipped.
/// @param deadline Unix seconds until which it may be carried in; each proof is bound to it.
/// @param submitter Who alone may carry it in; 0 lets anyone. Each proof is bound to it.
/// @param epoch The epoch whose prices are proved.
/// @param rows The attestations.
struct AttestBatchRequest {
    bytes32 policy;
    uint16 keyVersion;
    uint24 generation;
    uint40 deadline;
    address submitter;
    EpochPoint epoch;
    AttestRow[] rows;
}

/// @notice One trade of a batch.
/// @param tradeTag Salted hash of the trade word, which both proofs show.
/// @param plus The side that receives the legs of the word.
/// @param minus The side that gives them.
struct TradeRow {
    uint256 tradeTag;
    TradeSide plus;
    TradeSide minus;
}

/// @notice Many trades at one epoch, in order: an account may appear in several, each from the state that the one
///         before left. At an epoch that takes the accounts over a step of the listing each appears once, since its
///         first trade moves it on.
/// @param keyVersion Key version of the accounts; rows of others are skipped.
/// @param generation Version of the listing that they are at; rows of others are skipped.
/// @param epoch The epoch whose prices both sides of all trades prove.
/// @param rows The trades.
struct TradeBatchRequest {
    uint16 keyVersion;
    uint24 generation;
    EpochPoint epoch;
    TradeRow[] rows;
}

/// @title Many attestations, or many trades, in one transaction
/// @notice All proofs are checked at once: an attestation then takes about a third of the gas that it takes alone, a
///         trade about half. A row whose account has moved since, is of another key version or generation, depends on
///         a revoked epoch or on a later one, or whose deadline or signature no longer counts, is skipped, with
///         everything that built on it, and the rest goes on: whatever may change between a simulation and its
///         inclusion skips rows and stops nothing, unless it concerns key or epoch of all. A wrong or malformed proof,
///         which a simulation finds, stops all.
/// @dev The clearing house runs this code in its own storage, as it does that of IAccountDesk: call it there. Each row
///      takes the steps of its action, in the same order and by the same code, and is bound to the same message as if
///      it came alone. State is written before the proofs are checked, and a refusal takes all of it back.
///      Safety assumptions
///      - Those of IClearingHouse. A false proof passes with the probability that `IMarginVerifier.verifyMany` states.
///      Liveness assumptions
///      - Those of IClearingHouse. A batch of N proofs needs the gas of N + 3 pairings in one transaction, and must be
///        left IWalletSignatures.WALLET_GAS for each side whose auth is a contract, FACTORY_GAS for one that is
///        deployed by its signature.
interface IBatchDesk {
    /// @notice A row was skipped.
    /// @param row Its place.
    /// @param account The account that has moved; of a trade, one of both.
    event RowSkipped(uint256 indexed row, bytes32 indexed account);

    /// @notice No row was left.
    /// @param rows How many there were.
    error BatchEmpty(uint256 rows);

    /// @notice `attest` for many accounts. Anyone may call; needs no signature.
    /// @dev Reverts for what all rows share: deadline, submitter, epoch, key and policy, as IClearingHouse says; an
    ///      error that names an account then names 0. Reverts with `BatchEmpty`, and with `ProofRejected`,
    ///      `ProofMalformed` or `PointRefused` if one proof of a row that was not skipped is at fault.
    ///      Warning: simulate, and leave out what is at fault; `contracts/batches.py` does.
    /// @param request The attestations.
    /// @return done How many rows were not skipped.
    function attestBatch(AttestBatchRequest calldata request) external returns (uint256 done);

    /// @notice `trade` for many pairs. Anyone may carry it in; both auths of each row must have signed.
    /// @dev Reverts like `attestBatch`, and with `SelfTrade`, `SubmitterWrong`, `AmountTooLarge` or `FeeTooLarge` for a
    ///      row that can never pass.
    ///      Warning: of two rows of one account the later one is skipped if the earlier one is.
    /// @param request The trades.
    /// @return done How many rows were not skipped.
    function tradeBatch(TradeBatchRequest calldata request) external returns (uint256 done);
}
