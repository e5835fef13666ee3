// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Flow} from "../generated/Messages.sol";
import {CollateralVault} from "../CollateralVault.sol";
import {IAccountDesk} from "./IAccountDesk.sol";
import {IBatchDesk} from "./IBatchDesk.sol";
import {IAccountViews} from "./IAccountViews.sol";
import {IAccountBook, Status} from "./IAccountBook.sol";
import {IKeyRegistry} from "./IKeyRegistry.sol";
import {IMarginVerifier} from "./IMarginVerifier.sol";
import {IRiskOracle} from "./IRiskOracle.sol";
import {IWalletSignatures} from "./IWalletSignatures.sol";

/// @dev Which margin a written proof showed.
enum Margin {
    NONE,
    INITIAL,
    MAINTENANCE,
    WITHDRAW
}

/// @notice Everything the contract knows of an account.
/// @param auth Whose signature acts: a key's address, or a contract wallet.
/// @param status Where it stands in its life.
/// @param keyVersion Version of the verification keys that its proofs are made for.
/// @param generation Version of the listing in which its slots are meant.
/// @param mayHoldDerivatives Whether it has traded since it opened or last proved to be flat. If not, any version of
///     the listing fits it.
/// @param margin Which margin its last written proof showed.
/// @param provenAt Unix seconds of the prices of the last proof of margin that was written (trade, withdrawal, cure); 0
///     before the first. Attestations have times of their own; after a roll no margin counts as proved.
/// @param provenEpoch Number of the latest epoch that the account's state depends on: that proof's; where the account
///     has rolled since, the one at which the roll's settlement was posted, if later; or the one up to which the quorum
///     confirmed the account.
/// @param commitment Commitment to positions, cash, viewing key and nonce, a field element.
struct MarginAccount {
    address auth;
    Status status;
    uint16 keyVersion;
    uint24 generation;
    bool mayHoldDerivatives;
    Margin margin;
    uint40 provenAt;
    uint64 provenEpoch;
    uint256 commitment;
}

/// @notice The latest attestation of a policy by an account. Warning: it counts only for the state and the content that
///         the tag is of, and while its epoch does: ask IAccountViews.
/// @param time Unix seconds of the epoch's prices.
/// @param epoch Number of the epoch.
/// @param tag Of the account's commitment then and of the policy's content, as Attestations says.
struct PolicyAttestation {
    uint32 time;
    uint32 epoch;
    uint192 tag;
}

/// @notice An epoch by number, with the point that it signed for the action's policy; all zero and empty for an action
///         that needs none.
/// @param number Number of the epoch.
/// @param x Coordinate of the point on BN254's G1.
/// @param y Its other coordinate.
/// @param path The point's Merkle path to the root that the epoch signed: the hash beside each node, from below.
struct EpochPoint {
    uint64 number;
    uint256 x;
    uint256 y;
    bytes32[] path;
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
/// @param submitter Who alone may carry it in; 0 lets anyone.
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
    address submitter;
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
/// @param recipient Who receives what is paid out.
/// @param submitter Who alone may carry it in; 0 lets anyone.
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
    address submitter;
    bytes32 policy;
    Flow[] flows;
    EpochPoint epoch;
    uint256[8] proof;
    bytes signature;
}

/// @notice One side of a trade.
/// @param account The side's account.
/// @param commitmentOld Commitment that the proof starts from; the stored one, or the call is refused as stale.
/// @param commitmentNew Commitment of the state after the trade.
/// @param ciphertext The trade word, encrypted to the side's own viewing key, a field element.
/// @param submitter Who alone may carry the trade in; 0 lets anyone.
/// @param fee Micro-dollars to the submitter, out of the side's cash; at most 5 USDC.
/// @param deadline Unix seconds until which the side may be carried in.
/// @param proof Groth16 proof of `transition`, eight words as IMarginVerifier says.
/// @param signature auth's, over the typed message Action.
struct TradeSide {
    bytes32 account;
    uint256 commitmentOld;
    uint256 commitmentNew;
    uint256 ciphertext;
    address submitter;
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
    EpochPoint epoch;
    TradeSide plus;
    TradeSide minus;
}

/// @notice What a desk that serves one key version is made with.
/// @param registry The clearing house's.
/// @param oracle The clearing house's.
/// @param verifier The clearing house's.
/// @param wallets The clearing house's.
/// @param vault The clearing house's.
/// @param keyVersion Version of the keys that it serves, which is live.
struct DeskParts {
    IKeyRegistry registry;
    IRiskOracle oracle;
    IMarginVerifier verifier;
    IWalletSignatures wallets;
    CollateralVault vault;
    uint16 keyVersion;
}

/// @notice A desk beside those that the clearing house names, and what it is called for.
/// @param desk Its code (VaultDesk), which shares registry, oracle, verifier and vault.
/// @param selectors Of the functions that go to it.
struct RoutedDesk {
    address desk;
    bytes4[] selectors;
}

/// @title Accounts whose positions nobody sees, and the actions on them
/// @notice An account is a commitment to positions and cash. Each action brings a proof that the new state follows from
///         the old one and meets the action's policy. Which action may do what is written in ActionRules, and only
///         there. The submitter need not be the owner.
/// @dev Every action goes: checks, verification, state, event, tokens.
///      Safety assumptions
///      - Those of IMarginVerifier (set-up, curve), IKeyRegistry (keys, flat point), IRiskOracle (quorum, points) and
///        ICollateralVault (tokens).
///      - auth's key, or contract wallet, signs only what its owner wants: a signature over an Action allows exactly
///        that transition. What auth sends itself needs no signature, which is then empty. Warning: an account with
///        code (ERC-1271, ERC-6492, or delegated by EIP-7702) can change its mind about a signature until it is used.
///      - The viewing key hides; who knows it can read the account and prove for it, never act.
///      - Solvency of the venue: between attestations the maintenance policy's horizon covers the interval.
///        IDeadlineDesk enforces a next proof, for accounts of the key version that it serves: who lets lease and grace
///        pass is frozen, and the book is sold. IAccountViews tells an integrator how old a proof is.
///      - Each message names its submitter, or 0. Warning: with 0 whoever copies a submitter's call from the mempool
///        takes its fee, and a call that has the request inside then fails. A contract that builds on an action, and a
///        submitter that minds, has itself named.
///      - No state goes out that a revoked epoch may have made: an account whose state depends on one, by a proof or by
///        a settlement, neither trades, rolls nor pays out until the epoch is restored or the quorum confirms the
///        account (`confirm`). Accounts that depend on none are free. Warning: what left before the revocation has
///        left.
///      Liveness assumptions
///      - Those of IRiskOracle for actions that need an epoch. Deposits and flat exits need none.
///      - An account takes a step of the listing in its next trade, withdrawal or cure. One that sleeps through two
///        rolls, over as many as the publishers posted points for; without derivatives it skips them.
///      - The oracle's guardian may pause opening, trades, withdrawals, cures and attestations; neither funding,
///        deposits, rolls nor flat exits, whose payments wait for the end of the pause. Nobody else has any say: this
///        contract has neither owner nor admin.
///
///      What every action on an account relies on and reverts with, in this order:
///      - `StatusWrong` unless the account is active, or frozen and the table allows it; `DeadlinePassed`;
///        `SubmitterWrong`; `CommitmentStale` if the account has moved since the proof was made.
///      - `AmountTooLarge`, `RecipientZero`, `FeeAboveAmount`, `FeeTooLarge`.
///      - The oracle's `ActionPaused`; at an epoch its `EpochUnknown`, `EpochSuperseded`, `EpochRevoked`, `EpochStale`,
///        then `KeyVersionWrong`, `GenerationWrong`, at steps of the listing the oracle's `SettlementUnset`,
///        `SettlementSuperseded`, `SettlementPending` or `EpochRevoked` and `EpochOlderThanSettlement`, then
///        `PointsMismatch`; for a deposit `AccountLeftBehind`.
///      - The registry's `KeyUnknown`, `KeyIsRevoked`, `KeyIsSuspended` or `KeyNotLive` unless the account's key is
///        live.
///      - `EpochOlderThanProof`, `AccountOfRevokedEpoch`.
///      - `FlowSlotInvalid`, `FlowLotsInvalid`.
///      - `DigestInvalidated`, `SignatureWrong`.
///      - The verifier's `SignalTooLarge`, `PointRefused`, `ProofMalformed` or `ProofRejected`.
///      - The vault's `SlotUnknown`, `InboxTooLow` or `HeldTooLow`.
///
///      `FieldNotTaken` comes at the step that would read a field which the action does not take; flows are refused as
///      `FlowLotsInvalid`.
interface IClearingHouse is IAccountBook {
    /// @notice A call went to a desk from the beginning on: said once for each selector, by the constructor.
    /// @param selector First four bytes of the call.
    /// @param desk Its code.
    event DeskRouted(bytes4 indexed selector, address desk);

    /// @notice Neither the clearing house nor a desk knows such a call.
    /// @param selector Its first four bytes.
    error EntryUnknown(bytes4 selector);

    /// @notice Absorbs a stated part of the inbox. Anyone may carry it in; auth must have signed.
    /// @dev Needs no epoch, proves no margin and goes on while paused. Takes cash, fee, flows; the fee comes out of the
    ///      cash. An account that may hold derivatives and is two steps behind the oracle must roll first. Reverts as
    ///      the interface's list says.
    ///      Warning: money that was absorbed leaves by a withdrawal only; what still lies in the inbox can be pulled
    ///      back.
    /// @param request The deposit.
    /// @return cashFlow Micro-dollars into the account (+) or out of it (-), fee included.
    function deposit(ActionRequest calldata request) external returns (int128 cashFlow);

    /// @notice Settles a trade between two accounts. Anyone may carry it in; both auths must have signed.
    /// @dev Each side proves that its new state meets the epoch's policy "initial". Relies on equal tags and opposite
    ///      sides: what one side receives the other gives. Reverts as the interface's list says, and with `SelfTrade`
    ///      or `SidesDiffer`.
    ///      Warning: the accounts of both sides are public; legs, price and direction are not.
    /// @param request The trade.
    /// @return fees Micro-dollars that the submitter earned.
    function trade(TradeRequest calldata request) external returns (uint256 fees);

    /// @notice Pays out cash and collateral to the recipient, by payments that anyone makes once they are due
    ///         (ICollateralVault). Anyone may carry it in; auth must have signed.
    /// @dev Proves the epoch's policy "withdraw": initial margin, and no debt. Takes cash, fee, recipient, flows,
    ///      epoch.
    ///      Reverts as the interface's list says.
    /// @param request The withdrawal.
    /// @return cashFlow Micro-dollars into the account (+) or out of it (-), fee included.
    function withdraw(ActionRequest calldata request) external returns (int128 cashFlow);

    /// @notice Absorbs a stated part of the inbox and proves maintenance margin. Anyone may carry it in; auth must have
    ///         signed.
    /// @dev Goes on for a frozen account. Takes cash, fee, flows, epoch. Reverts as the interface's list says.
    /// @param request The cure; with nothing to absorb it takes the account over a step of generation.
    /// @return cashFlow Micro-dollars into the account (+) or out of it (-), fee included.
    function cure(ActionRequest calldata request) external returns (int128 cashFlow);

    /// @notice Shows that the account, as it is, meets a policy of the epoch. Anyone who can prove it may call; needs
    ///         no signature.
    /// @dev Takes policy and epoch. IAccountViews counts it until the account changes; a deposit by `cure` proves
    ///      anew. One at a later epoch is not displaced by one at an earlier. Reverts as the interface's list says.
    ///      Warning: a named policy says what it says and is no solvency.
    /// @param request The attestation.
    function attest(ActionRequest calldata request) external;

    /// @notice Takes an account over steps of the listing: what was dropped becomes cash at its payoff. Anyone who can
    ///         prove it may call; auth must have signed, unless the account is frozen or two steps behind the oracle,
    ///         or more.
    /// @dev Needs no epoch, proves no margin, pays no fee, goes on while paused and for a frozen account. Uses the
    ///      point that the publishers posted for so many steps from the account's version. Reverts as the interface's
    ///      list says, and with `SettlementUnset` where no such point is posted.
    ///      Warning: without a signature it voids what auth signed for the account as it was. Two steps behind, that
    ///      can only be a flat exit or a roll, since nothing at an epoch passes; of a frozen account also a cure. Each
    ///      step allows it once.
    /// @param request The roll.
    /// @param steps How many steps; the publishers post points for 1, 4 and 16.
    /// @return generation Version of the listing that the account is then at.
    function roll(ActionRequest calldata request, uint24 steps) external returns (uint24 generation);

    /// @notice Pays out of an account without derivatives and without debt, like `withdraw`. Anyone may carry it in;
    ///         auth must have signed.
    /// @dev Proves the constant policy "flat"; needs no epoch, goes on while paused. Takes cash, fee, recipient, flows.
    ///      Reverts as the interface's list says.
    /// @param request The withdrawal.
    /// @return cashFlow Micro-dollars into the account (+) or out of it (-), fee included.
    function withdrawFlat(ActionRequest calldata request) external returns (int128 cashFlow);

    /// @notice Pays out what the request states and ends the account; its number is never used again. Anyone may carry
    ///         it in; auth must have signed.
    /// @dev Like `withdrawFlat` otherwise.
    ///      Warning: whatever the account held beyond the stated amounts is forfeited: nobody can pay it out any more.
    ///      What lies in the inbox is not touched, and can be pulled back.
    /// @param request The last payment.
    /// @return cashFlow Micro-dollars into the account (+) or out of it (-), fee included.
    function close(ActionRequest calldata request) external returns (int128 cashFlow);

    /// @notice Pays the caller's fees to `to`, by a payment like that of a withdrawal.
    /// @dev Reverts with `FeesZero`, `RecipientZero`, or the vault's `HeldTooLow` or `RecipientRefused`.
    /// @param to Who receives them.
    /// @return amount Micro-dollars moved.
    function collectFees(address to) external returns (uint256 amount);

    /// @notice An account; all zero if it was never opened.
    /// @param account Its number.
    /// @return What is known of it.
    function accountOf(bytes32 account) external view returns (MarginAccount memory);

    /// @notice The latest attestation of `policy` by an account, whether it still counts or not; zeros if there was
    ///         none.
    /// @dev Warning: ask IAccountViews, which looks at the account's state, key and epoch too.
    /// @param account The account.
    /// @param policy Name of the policy.
    /// @return The attestation.
    function attestationOf(bytes32 account, bytes32 policy) external view returns (PolicyAttestation memory);

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

    /// @notice Where the tokens are.
    /// @return The vault.
    function VAULT() external view returns (CollateralVault);

    /// @notice What the clearing house delegates to: opening, burning digests, skipping, confirming.
    /// @return The contract, which is called through the clearing house only.
    function DESK() external view returns (IAccountDesk);

    /// @notice The code of batches, which runs in this contract.
    /// @return Its address.
    function BATCHES() external view returns (IBatchDesk);

    /// @notice The desk to which calls with a selector go that the clearing house does not know itself (IDefaultDesk).
    /// @param selector First four bytes of the call.
    /// @return Its code; 0 where such calls are refused, as `EntryUnknown`.
    function deskOf(bytes4 selector) external view returns (address);

    /// @notice What shows other contracts what accounts have proved, and which digests auths sign.
    /// @return The contract, which stores nothing.
    function VIEWS() external view returns (IAccountViews);
}
