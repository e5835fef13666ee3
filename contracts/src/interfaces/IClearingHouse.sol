// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ActionKind} from "../generated/ActionRules.sol";
import {Flow} from "../generated/Messages.sol";
import {Point} from "./IRiskOracle.sol";

/// @dev Life of an account. FROZEN is reached only by the default path, which is not built yet; the action table
///      already says what it allows.
enum Status {
    NONE,
    ACTIVE,
    FROZEN,
    CLOSED
}

/// @notice Everything the contract knows of an account.
/// @param auth Whose signature acts: a key's address, or an ERC-1271 wallet.
/// @param status Where it stands in its life.
/// @param keyVersion Version of the verification keys that its proofs are made for.
/// @param generation Version of the listing in which its slots are meant.
/// @param provenAt Unix seconds of the prices at which margin was last proved; the block's time at opening.
/// @param commitment Commitment to positions, cash, viewing key and nonce, a field element.
/// @param escrowHash keccak256(abi.encode(ephemeralX, ephemeralY, escrowedKey, keyVersion)) of the opening.
struct MarginAccount {
    address auth;
    Status status;
    uint16 keyVersion;
    uint24 generation;
    uint40 provenAt;
    uint256 commitment;
    bytes32 escrowHash;
}

/// @notice An epoch by number, with the points that it signed.
/// @param number Number of the epoch; 0 for an action that needs none.
/// @param points Every point of the epoch, in its order; empty for an action that needs none.
struct EpochPoints {
    uint64 number;
    Point[] points;
}

/// @notice Opens an account with an empty portfolio, its viewing key escrowed to the committee.
/// @param auth Who will act for the account; signs this.
/// @param index Which of auth's accounts; the account number is made of chain, contract, auth and index.
/// @param keyVersion Version of the verification keys.
/// @param generation Generation of the latest epoch.
/// @param commitment Commitment to the empty state, a field element.
/// @param ephemeralX Ephemeral point of the escrow on BabyJubJub, a field element.
/// @param ephemeralY Its other coordinate; the identity (0, 1) is refused.
/// @param escrowedKey The viewing key, encrypted to the committee, a field element.
/// @param deadline Unix seconds until which it may be opened.
/// @param proof Groth16 proof of `open`, eight words as IMarginVerifier says.
/// @param signature auth's, over the typed message Open.
struct OpenRequest {
    address auth;
    uint64 index;
    uint16 keyVersion;
    uint24 generation;
    uint256 commitment;
    uint256 ephemeralX;
    uint256 ephemeralY;
    uint256 escrowedKey;
    uint40 deadline;
    uint256[8] proof;
    bytes signature;
}

/// @notice An action on one account. A field that the action does not take must be zero or empty.
/// @param account The account.
/// @param commitmentOld Commitment that the proof starts from; the stored one, or the call is refused as stale.
/// @param commitmentNew Commitment of the state after the action; 0 for an action that writes none.
/// @param cash Micro-dollars absorbed from the inbox, or paid to the recipient; below 2^63.
/// @param fee Micro-dollars to the submitter: taken from `cash` on the way in, added to it on the way out; below 2^63.
/// @param deadline Unix seconds until which it may be carried in.
/// @param recipient Who may claim what is paid out.
/// @param policy Name of the policy, for an action that lets the caller choose it.
/// @param flows Lots of collateral by strictly increasing slot: above zero on the way in, below on the way out.
/// @param epoch The epoch whose prices are proved, for an action that needs one.
/// @param proof Groth16 proof of `transition`, eight words as IMarginVerifier says.
/// @param signature auth's, over the typed message Action.
struct ActionRequest {
    bytes32 account;
    uint256 commitmentOld;
    uint256 commitmentNew;
    uint64 cash;
    uint64 fee;
    uint40 deadline;
    address recipient;
    bytes32 policy;
    Flow[] flows;
    EpochPoints epoch;
    uint256[8] proof;
    bytes signature;
}

/// @notice One side of a trade.
/// @param account The side's account.
/// @param commitmentOld Commitment that the proof starts from; the stored one, or the call is refused as stale.
/// @param commitmentNew Commitment of the state after the trade.
/// @param ciphertext The trade word, encrypted to the side's own viewing key, a field element.
/// @param fee Micro-dollars to the submitter, out of the side's cash; at most 5 USDC.
/// @param deadline Unix seconds until which the side may be carried in.
/// @param proof Groth16 proof of `transition`, eight words as IMarginVerifier says.
/// @param signature auth's, over the typed message Action.
struct TradeSide {
    bytes32 account;
    uint256 commitmentOld;
    uint256 commitmentNew;
    uint256 ciphertext;
    uint64 fee;
    uint40 deadline;
    uint256[8] proof;
    bytes signature;
}

/// @notice A trade between two accounts.
/// @param tradeTag Salted hash of the trade word, which both proofs show.
/// @param epoch The epoch whose prices both sides prove.
/// @param plus The side that receives the legs of the word.
/// @param minus The side that gives them.
struct TradeRequest {
    uint256 tradeTag;
    EpochPoints epoch;
    TradeSide plus;
    TradeSide minus;
}

/// @title Accounts whose positions nobody sees, and the actions on them
/// @notice An account is a commitment to positions and cash. Each action brings a proof that the new state follows from
///         the old one and meets the action's policy. Which action may do what is written in ActionRules, and only
///         there. The submitter need not be the owner.
/// @dev Every action goes: checks, verification, state, event, tokens.
///      Safety assumptions
///      - Those of IMarginVerifier (set-up, curve), IKeyRegistry (keys, flat point), IRiskOracle (quorum, points) and
///        ICollateralVault (tokens).
///      - auth's key, or ERC-1271 wallet, signs only what its owner wants: a signature over an Action allows exactly
///        that transition. Warning: an account with code (ERC-1271, or delegated by EIP-7702) can change its mind about
///        a signature until it is used.
///      - The viewing key hides; who knows it can read the account and prove for it, never act.
///      - Solvency of the venue: between attestations the maintenance policy's horizon covers the interval. Deadlines
///        and liquidation are not built yet, so `isCurrent` tells an integrator how old a proof is and nothing enforces
///        a next one.
///      - A fee goes to whoever's transaction is mined first: who copies a submitter's call from the mempool takes its
///        fee. The signature says what is paid, not to whom, so that any submitter can help; a submitter that minds
///        sends through a private relay.
///      Liveness assumptions
///      - Those of IRiskOracle for actions that need an epoch. Deposits and flat exits need none.
///      - An account takes part in a step of generation within that generation: one that sleeps through two can only
///        deposit or leave flat, until `roll` is built.
///      - The oracle's guardian may pause opening, trades, withdrawals and attestations; neither funding, deposits,
///        cures nor flat exits. Nobody else has any say: this contract has neither owner nor admin.
///
///      What every action on an account relies on and reverts with, in this order:
///      - `StatusWrong` unless the account is active, or frozen and the table allows it; `DeadlinePassed`;
///        `CommitmentStale` if the account has moved since the proof was made.
///      - `AmountTooLarge`, `RecipientZero`, `FeeAboveAmount`, `FeeTooLarge`.
///      - The oracle's `ActionPaused`; at an epoch its `EpochUnknown`, `EpochSuperseded`, `EpochRevoked`, `EpochStale`,
///        then `KeyVersionWrong`, `GenerationWrong`, at a step of generation the oracle's `SettlementUnset` or
///        `SettlementPending`, then `PointsMismatch`, `PolicyUnknown`.
///      - The registry's `KeyUnknown`, `KeyIsRevoked` or `KeyNotLive` unless the account's key is live.
///      - `EpochOlderThanProof`.
///      - `FlowSlotInvalid`, `FlowLotsInvalid`, and the vault's `SlotUnknown`.
///      - `DigestInvalidated`, `SignatureWrong`.
///      - The verifier's `SignalTooLarge`, `PointRefused`, `ProofMalformed` or `ProofRejected`.
///      - The vault's `InboxTooLow` or `HeldTooLow`.
///
///      `FieldNotTaken` comes at the step that would read a field which the action does not take; flows are refused as
///      `FlowLotsInvalid`.
interface IClearingHouse {
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
        uint64 feeMinus
    );
    /// @notice A deposit, cure, withdrawal or close.
    /// @param account The account.
    /// @param kind Which action.
    /// @param commitment New commitment.
    /// @param cashFlow Micro-dollars into the account (+) or out of it (-), fee included.
    /// @param flows Lots of collateral by slot, with their sign.
    /// @param epoch Number of the epoch whose prices were proved; 0 without one.
    /// @param generation Generation of the account after the action.
    /// @param recipient Who may claim what was paid out; zero on the way in.
    /// @param fee Micro-dollars to the submitter.
    event Flowed(
        bytes32 indexed account,
        ActionKind indexed kind,
        uint256 commitment,
        int128 cashFlow,
        Flow[] flows,
        uint64 epoch,
        uint24 generation,
        address recipient,
        uint64 fee
    );
    /// @notice An account showed that it meets a policy at an epoch; its commitment stays.
    /// @param account The account.
    /// @param policy Name of the policy. Warning: only "maintenance" speaks of solvency.
    /// @param epoch Number of the epoch.
    /// @param time Unix seconds of the epoch's prices.
    /// @param provenAt The account's `provenAt` afterwards, unix seconds.
    event Attested(bytes32 indexed account, bytes32 indexed policy, uint64 epoch, uint40 time, uint40 provenAt);
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
    /// @param account The account; 0 for a burned digest, which may be of any.
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
    /// @notice The epoch is older than the prices of the account's last proof.
    /// @param account The account.
    /// @param epochTime Unix seconds of the epoch's prices.
    /// @param provenAt Unix seconds of the last proof's.
    error EpochOlderThanProof(bytes32 account, uint40 epochTime, uint40 provenAt);
    /// @notice The points in the call are not those that the epoch signed.
    /// @param given keccak256(abi.encode(points)) of the call's.
    /// @param signed The epoch's.
    error PointsMismatch(bytes32 given, bytes32 signed);
    /// @notice The epoch has no policy of this name.
    /// @param name The name.
    error PolicyUnknown(bytes32 name);
    /// @notice Nothing to collect.
    /// @param submitter Who has earned nothing.
    error FeesZero(address submitter);
    /// @notice A part of the system is not where it was said to be.
    /// @param vault The vault.
    /// @param house The clearing house that it serves.
    error WiringWrong(address vault, address house);

    /// @notice Opens an account with an empty portfolio. Anyone may carry it in; auth must have signed.
    /// @dev Relies on the committee's key of that version for the escrow, and on the proof that the commitment is to
    ///      the empty state under the escrowed viewing key. Opening counts as proved at the block's time.
    ///      Reverts with `AuthZero`, `EphemeralIdentity`, `AccountTaken`, `DeadlinePassed`, `GenerationWrong` unless
    ///      the generation is the latest epoch's, `DigestInvalidated`, `SignatureWrong`, with the oracle's
    ///      `ActionPaused`, the registry's `KeyUnknown`, `KeyIsRevoked` or `KeyNotLive`, and the verifier's errors.
    ///      Warning: whoever knows the viewing key reads the account for ever; it cannot be changed.
    /// @param request What is opened.
    /// @return account The account's number.
    function open(OpenRequest calldata request) external returns (bytes32 account);

    /// @notice Absorbs a stated part of the inbox. Anyone may carry it in; auth must have signed.
    /// @dev Needs no epoch, proves no margin and goes on while paused. Takes cash, fee, flows; the fee comes out of the
    ///      cash. Reverts as the interface's list says.
    ///      Warning: money that was absorbed leaves by a withdrawal only; what still lies in the inbox can be pulled
    ///      back.
    /// @param request The deposit.
    function deposit(ActionRequest calldata request) external;

    /// @notice Settles a trade between two accounts. Anyone may carry it in; both auths must have signed.
    /// @dev Each side proves that its new state meets the epoch's policy "initial". Relies on equal tags and opposite
    ///      sides: what one side receives the other gives. Reverts as the interface's list says, and with `SelfTrade`
    ///      or `SidesDiffer`.
    ///      Warning: the accounts of both sides are public; legs, price and direction are not.
    /// @param request The trade.
    function trade(TradeRequest calldata request) external;

    /// @notice Pays out cash and collateral to what the recipient may claim. Anyone may carry it in; auth must have
    ///         signed.
    /// @dev Proves the epoch's policy "withdraw": initial margin, and no debt. Takes cash, fee, recipient, flows,
    ///      epoch.
    ///      Reverts as the interface's list says.
    ///      Warning: the recipient must be able to call the vault's `claim`; a contract that cannot loses the payment.
    /// @param request The withdrawal.
    function withdraw(ActionRequest calldata request) external;

    /// @notice Absorbs a stated part of the inbox and proves maintenance margin. Anyone may carry it in; auth must have
    ///         signed.
    /// @dev Goes on while paused and for a frozen account. Takes cash, fee, flows, epoch. Reverts as the interface's
    ///      list says.
    /// @param request The cure; with nothing to absorb it takes the account over a step of generation.
    function cure(ActionRequest calldata request) external;

    /// @notice Shows that the account, as it is, meets a policy of the epoch. Anyone who can prove it may call; needs
    ///         no signature.
    /// @dev Takes policy and epoch. "maintenance" raises `provenAt`, another name the time that `attested` gives.
    ///      Reverts as the interface's list says.
    ///      Warning: a named policy says what it says and is no solvency.
    /// @param request The attestation.
    function attest(ActionRequest calldata request) external;

    /// @notice Pays out of an account without derivatives and without debt. Anyone may carry it in; auth must have
    ///         signed.
    /// @dev Proves the constant policy "flat"; needs no epoch, goes on while paused. Takes cash, fee, recipient, flows.
    ///      Reverts as the interface's list says.
    ///      Warning: the recipient must be able to call the vault's `claim`; a contract that cannot loses the payment.
    /// @param request The withdrawal.
    function withdrawFlat(ActionRequest calldata request) external;

    /// @notice Pays out what the request states and ends the account; its number is never used again. Anyone may carry
    ///         it in; auth must have signed.
    /// @dev Like `withdrawFlat` otherwise.
    ///      Warning: whatever the account held beyond the stated amounts is forfeited.
    /// @param request The last payment.
    function close(ActionRequest calldata request) external;

    /// @notice Burns a digest that the caller, as auth of its account number `index`, may have signed; before opening,
    ///         too.
    /// @dev Never reverts. An action with that digest reverts with `DigestInvalidated` from then on.
    ///      Warning: an action that is mined first has happened.
    /// @param index Which of the caller's accounts.
    /// @param digest EIP-712 digest of the message.
    function invalidate(uint64 index, bytes32 digest) external;

    /// @notice `invalidate` by auth's signature over the typed message Invalidate. Anyone may carry it in.
    /// @dev Reverts with `SignatureWrong`.
    ///      Warning: the message names no account: it counts for every index of auth.
    /// @param auth Who signed.
    /// @param index Which of auth's accounts.
    /// @param digest EIP-712 digest of the message that is burned.
    /// @param signature auth's, over Invalidate.
    function invalidateFor(address auth, uint64 index, bytes32 digest, bytes calldata signature) external;

    /// @notice Moves the caller's fees to what `to` may claim from the vault.
    /// @dev Reverts with `FeesZero`, `RecipientZero`, or the vault's `HeldTooLow`.
    /// @param to Who may claim them; must be able to call the vault's `claim`.
    /// @return amount Micro-dollars moved.
    function collectFees(address to) external returns (uint256 amount);

    /// @notice An account; all zero if it was never opened.
    /// @param account Its number.
    /// @return What is known of it.
    function accountOf(bytes32 account) external view returns (MarginAccount memory);

    /// @notice Whether the account is active, its key live, and its margin was proved at prices at most `maxAge`
    ///         seconds old.
    /// @dev Warning: it says nothing about the next block; an account may trade right after the check, and nothing can
    ///      be seized from it. Opening counts as proved; deposits and flat exits do not renew it.
    /// @param account The account.
    /// @param maxAge Seconds.
    /// @return Whether all of that holds now.
    function isCurrent(bytes32 account, uint256 maxAge) external view returns (bool);

    /// @notice Time of the latest epoch at which the account, as it is now, attested `policy`; 0 if never. Any change
    ///         of the account ends it.
    /// @dev Warning: a named policy says what it says and is no solvency; use `isCurrent` for that. Attestations of
    ///      "maintenance" raise `provenAt` and are not kept here.
    /// @param account The account.
    /// @param policy Name of the policy.
    /// @return time Unix seconds.
    function attested(bytes32 account, bytes32 policy) external view returns (uint40 time);

    /// @notice Fees that a submitter may collect.
    /// @param submitter Who carried actions in.
    /// @return Micro-dollars.
    function feesOf(address submitter) external view returns (uint256);

    /// @notice Whether auth has burned the digest for this account.
    /// @param account The account.
    /// @param digest EIP-712 digest of the message.
    /// @return Whether it is burned.
    function isInvalidated(bytes32 account, bytes32 digest) external view returns (bool);

    /// @notice The number of the account that `auth` opens, or has opened, with `index`.
    /// @param auth Who acts for it.
    /// @param index Which of auth's accounts.
    /// @return The account's number.
    function accountId(address auth, uint64 index) external view returns (bytes32);
}
