// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ActionKind} from "../generated/ActionRules.sol";
import {Flow} from "../generated/Messages.sol";
import {IKeyRegistry} from "./IKeyRegistry.sol";
import {IMarginVerifier} from "./IMarginVerifier.sol";
import {IRiskOracle} from "./IRiskOracle.sol";
import {IWalletSignatures} from "./IWalletSignatures.sol";

/// @dev Life of an account. FROZEN is reached only where there is a desk for defaults (IDefaultDesk); the action table
///      already says what it allows.
enum Status {
    NONE,
    ACTIVE,
    FROZEN,
    CLOSED
}

/// @title What the clearing house and its desks share
/// @notice Events, errors, and where the other contracts are.
/// @dev Safety assumptions and Liveness assumptions: those of IClearingHouse.
interface IAccountBook {
    /// @notice An account was opened.
    /// @param account Its number.
    /// @param auth Who acts for it.
    /// @param index Which of auth's accounts.
    /// @param keyVersion Version of its verification keys.
    /// @param generation Version of the listing in which it starts.
    /// @param commitment Commitment to the empty state.
    /// @param ephemeralX Ephemeral point of the escrow, with `ephemeralY` and `escrowedKey` what the committee
    ///     decrypts.
    /// @param ephemeralY Its other coordinate.
    /// @param escrowedKey The encrypted viewing key.
    event AccountOpened(
        bytes32 indexed account,
        address indexed auth,
        uint64 index,
        uint16 keyVersion,
        uint24 generation,
        uint256 commitment,
        uint256 ephemeralX,
        uint256 ephemeralY,
        uint256 escrowedKey
    );
    /// @notice Both sides of a trade. With its viewing key each side reads the trade word from its ciphertext.
    /// @param plus Account that received the legs of the word.
    /// @param minus Account that gave them.
    /// @param epoch Number of the epoch whose prices were proved.
    /// @param generation Generation of both accounts after the trade.
    /// @param tradeTag Salted hash of the trade word.
    /// @param commitmentPlus New commitment of `plus`.
    /// @param ciphertextPlus The word, encrypted to `plus`.
    /// @param feePlus Micro-dollars that `plus` paid to the submitter.
    /// @param commitmentMinus New commitment of `minus`.
    /// @param ciphertextMinus The word, encrypted to `minus`.
    /// @param feeMinus Micro-dollars that `minus` paid to the submitter.
    /// @param submitter Who carried it in and earned the fees.
    event Traded(
        bytes32 indexed plus,
        bytes32 indexed minus,
        uint64 epoch,
        uint24 generation,
        uint256 tradeTag,
        uint256 commitmentPlus,
        uint256 ciphertextPlus,
        uint64 feePlus,
        uint256 commitmentMinus,
        uint256 ciphertextMinus,
        uint64 feeMinus,
        address submitter
    );
    /// @notice A deposit, cure, withdrawal, close or roll.
    /// @param account The account.
    /// @param kind Which action.
    /// @param commitment New commitment.
    /// @param cashFlow Micro-dollars into the account (+) or out of it (-), fee included.
    /// @param flows Lots of collateral by slot, with their sign.
    /// @param epoch Number of the epoch whose prices were proved; 0 without one.
    /// @param generation Generation of the account after the action.
    /// @param recipient Who may claim what was paid out; zero on the way in.
    /// @param fee Micro-dollars to the submitter.
    /// @param submitter Who carried it in and earned the fee.
    event Flowed(
        bytes32 indexed account,
        ActionKind indexed kind,
        uint256 commitment,
        int128 cashFlow,
        Flow[] flows,
        uint64 epoch,
        uint24 generation,
        address recipient,
        uint64 fee,
        address submitter
    );
    /// @notice An account showed that it meets a policy at an epoch; its commitment stays.
    /// @param account The account.
    /// @param policy Name of the policy. Warning: only "maintenance" speaks of solvency.
    /// @param epoch Number of the epoch.
    /// @param time Unix seconds of the epoch's prices.
    /// @param pointHash keccak256(abi.encode(name, x, y)) of the policy's point: which content was met.
    /// @param submitter Who carried it in.
    event Attested(
        bytes32 indexed account,
        bytes32 indexed policy,
        uint64 epoch,
        uint40 time,
        bytes32 pointHash,
        address submitter
    );
    /// @notice An account without derivatives went to the version of the listing in force.
    /// @param account The account.
    /// @param generation That version.
    event Skipped(bytes32 indexed account, uint24 generation);
    /// @notice The quorum confirmed an account that depended on a revoked epoch.
    /// @param account The account.
    /// @param commitment Its commitment.
    /// @param epoch Number of the epoch up to which it was looked at.
    event Confirmed(bytes32 indexed account, uint256 commitment, uint64 epoch);
    /// @notice An account went from a revoked key version to its successor.
    /// @param account The account.
    /// @param keyVersion The successor, now the account's version.
    event Moved(bytes32 indexed account, uint16 keyVersion);
    /// @notice auth burned a digest: no action with it passes any more.
    /// @param account The account whose actions it concerns.
    /// @param digest EIP-712 digest of the burned message.
    event Invalidated(bytes32 indexed account, bytes32 indexed digest);
    /// @notice A submitter moved its fees to what `to` may claim from the vault.
    /// @param submitter Who earned them.
    /// @param to Who may claim them.
    /// @param amount Micro-dollars.
    event FeesCollected(address indexed submitter, address indexed to, uint256 amount);

    /// @notice The action is not allowed in the account's status.
    /// @param account The account.
    /// @param status Its status.
    /// @param kind The action.
    error StatusWrong(bytes32 account, Status status, ActionKind kind);
    /// @notice The account was redeemed from default, and takes part in trades again once it has a new viewing key.
    /// @param account The account.
    error RekeyFirst(bytes32 account);
    /// @notice The account number was used before.
    /// @param account The account.
    /// @param status Its status.
    error AccountTaken(bytes32 account, Status status);
    /// @notice auth must not be zero.
    error AuthZero();
    /// @notice The ephemeral point must not be the identity, whose shared secret is known to all: the viewing key would
    ///         be public.
    error EphemeralIdentity();
    /// @notice The deadline has passed.
    /// @param deadline Last second, unix, at which the request was good.
    /// @param time The block's time, unix seconds.
    error DeadlinePassed(uint40 deadline, uint256 time);
    /// @notice The message names another submitter.
    /// @param account The account.
    /// @param submitter Who alone may carry it in.
    /// @param sender Who did.
    error SubmitterWrong(bytes32 account, address submitter, address sender);
    /// @notice The account has moved since the request was made: proof and signature start from another state.
    /// @param account The account.
    /// @param expected Commitment that the request starts from.
    /// @param stored The account's commitment.
    error CommitmentStale(bytes32 account, uint256 expected, uint256 stored);
    /// @notice The action takes no such field: it must be zero or empty.
    /// @param kind The action.
    /// @param field Name of the request's field.
    error FieldNotTaken(ActionKind kind, bytes32 field);
    /// @notice The action is of two sides and was sent as one of a single account, or the other way round.
    /// @param kind The action.
    /// @param hasSides Whether the table gives it sides.
    error SidesWrong(ActionKind kind, bool hasSides);
    /// @notice The signature is not auth's over this digest.
    /// @param account The account.
    /// @param auth Who should have signed.
    /// @param digest EIP-712 digest of the message as the contract sees it.
    error SignatureWrong(bytes32 account, address auth, bytes32 digest);
    /// @notice auth has burned this digest.
    /// @param account The account.
    /// @param digest EIP-712 digest of the message.
    error DigestInvalidated(bytes32 account, bytes32 digest);
    /// @notice An amount or a fee is not below the limit.
    /// @param amount Micro-dollars stated.
    /// @param limit First amount that is too large, micro-dollars.
    error AmountTooLarge(uint256 amount, uint256 limit);
    /// @notice The fee exceeds the cash that is absorbed.
    /// @param fee Micro-dollars to the submitter.
    /// @param cash Micro-dollars absorbed.
    error FeeAboveAmount(uint64 fee, uint64 cash);
    /// @notice A side of a trade pays more to the submitter than carrying it in may cost.
    /// @param fee Micro-dollars to the submitter.
    /// @param limit Largest fee of a side, micro-dollars.
    error FeeTooLarge(uint64 fee, uint64 limit);
    /// @notice Slots must be strictly increasing and below the statement's number.
    /// @param slot The slot.
    /// @param previousPlusOne Lowest slot that could follow.
    /// @param slots Number of slots of the account's key.
    error FlowSlotInvalid(uint16 slot, uint256 previousPlusOne, uint16 slots);
    /// @notice Lots must have the action's sign, not be zero, and at most the limit in absolute value.
    /// @param slot The slot.
    /// @param lots Lots stated.
    /// @param kind The action, whose row says which sign it has, if any.
    /// @param limit Largest absolute value, in lots.
    error FlowLotsInvalid(uint16 slot, int64 lots, ActionKind kind, int64 limit);
    /// @notice A recipient must be given.
    error RecipientZero();
    /// @notice A trade takes two different accounts.
    /// @param account The account on both sides.
    error SelfTrade(bytes32 account);
    /// @notice Both sides of a trade must be at one generation and one key version.
    /// @param generationPlus Generation of the first side.
    /// @param generationMinus Generation of the second side.
    /// @param keyVersionPlus Key version of the first side.
    /// @param keyVersionMinus Key version of the second side.
    error SidesDiffer(uint24 generationPlus, uint24 generationMinus, uint16 keyVersionPlus, uint16 keyVersionMinus);
    /// @notice The generation is not the account's or the next one.
    /// @param account The account.
    /// @param accountGeneration Its generation; at opening, the one that the request states.
    /// @param generation The epoch's.
    error GenerationWrong(bytes32 account, uint24 accountGeneration, uint24 generation);
    /// @notice The epoch was signed for another key version.
    /// @param account The account.
    /// @param accountVersion Key version of the account.
    /// @param epochVersion Key version of the epoch.
    error KeyVersionWrong(bytes32 account, uint16 accountVersion, uint16 epochVersion);
    /// @notice The epoch comes before the latest one that the account's state depends on.
    /// @param account The account.
    /// @param epoch Number of the epoch.
    /// @param provenEpoch Number of that latest one.
    error EpochOlderThanProof(bytes32 account, uint64 epoch, uint64 provenEpoch);
    /// @notice The step's settlement was posted after the epoch, in place of another: a later epoch takes the step.
    /// @param account The account.
    /// @param epoch Number of the epoch.
    /// @param settlement Number of the latest epoch when the settlement was posted.
    error EpochOlderThanSettlement(bytes32 account, uint64 epoch, uint64 settlement);
    /// @notice The account's state depends on an epoch that was revoked.
    /// @param account The account.
    /// @param epoch Number of that epoch.
    error AccountOfRevokedEpoch(bytes32 account, uint64 epoch);
    /// @notice The epoch of a confirmation is not later than all that the account's state depends on, not posted, or
    ///         revoked.
    /// @param account The account.
    /// @param epoch Number of the epoch.
    /// @param provenEpoch Number of the last proof's.
    error ConfirmationInvalid(bytes32 account, uint64 epoch, uint64 provenEpoch);
    /// @notice No epoch reaches the account any more: it must roll first.
    /// @param account The account.
    /// @param accountGeneration Its version of the listing.
    /// @param generation The oracle's.
    error AccountLeftBehind(bytes32 account, uint24 accountGeneration, uint24 generation);
    /// @notice The account is not two steps behind the oracle; with a step to take, auth may ask for it itself.
    /// @param account The account.
    /// @param accountGeneration Its version of the listing.
    /// @param generation The oracle's.
    error NotBehind(bytes32 account, uint24 accountGeneration, uint24 generation);
    /// @notice The account may hold derivatives, so only a proof says what steps make of it: `roll`.
    /// @param account The account.
    error RollNeedsProof(bytes32 account);
    /// @notice The account is neither active nor frozen.
    /// @param account The account.
    /// @param status Its status.
    error AccountNotOpen(bytes32 account, Status status);
    /// @notice The point in the call is not the one that the epoch signed for the policy.
    /// @param given Merkle root to which the call's point and path lead.
    /// @param signed First 22 bytes of the epoch's.
    error PointsMismatch(bytes32 given, bytes22 signed);
    /// @notice Nothing to collect.
    /// @param submitter Who has earned nothing.
    error FeesZero(address submitter);
    /// @notice A part of the system is not where it was said to be.
    /// @param part The vault, or one of the desks.
    /// @param named The contract that it names in place of the one that it was given with.
    error WiringWrong(address part, address named);

    /// @notice Where the verification keys are.
    /// @return The registry.
    function REGISTRY() external view returns (IKeyRegistry);

    /// @notice Where the epochs are.
    /// @return The oracle.
    function ORACLE() external view returns (IRiskOracle);

    /// @notice What checks the proofs.
    /// @return The verifier.
    function VERIFIER() external view returns (IMarginVerifier);

    /// @notice What asks contract wallets for their signatures.
    /// @return The contract, which has no rights.
    function WALLETS() external view returns (IWalletSignatures);

    /// @notice Chain id at deployment, of which account numbers are made: a fork that takes another one keeps them.
    /// @return The id.
    function CHAIN_ID() external view returns (uint256);
}
