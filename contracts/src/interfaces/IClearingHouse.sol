// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Flow} from "../generated/Messages.sol";
import {ActionKind, FlowRule, Status} from "../libraries/ActionRules.sol";
import {Point} from "./IRiskOracle.sol";

/// @dev Everything the contract knows of an account: one word, then two more.
struct Account {
    address auth; // whose signature acts
    Status status;
    uint8 level; // attestation level, 0 for now
    uint16 keyVersion;
    uint24 generation;
    uint40 provenAt; // unix seconds of the prices at which margin was last proved
    uint256 commitment;
    bytes32 escrowHash; // keccak256(abi.encode(ephemeralX, ephemeralY, escrowedKey, keyVersion))
}

/// @dev An epoch and the points it signed, all of them.
struct EpochPoints {
    uint64 number;
    Point[] points;
}

/// @dev Opens an account with an empty portfolio, its viewing key escrowed to the committee.
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
    bytes signature; // auth's, over Open
}

/// @dev Absorbs a stated part of the inbox: cash in micro-dollars, of which the fee goes to the submitter, and lots > 0 of collateral.
struct DepositRequest {
    bytes32 account;
    uint256 commitmentNew;
    uint64 cash;
    uint64 fee;
    uint40 deadline;
    Flow[] flows;
    uint256[8] proof;
    bytes signature; // auth's, over Action
}

/// @dev A deposit that also proves maintenance margin.
struct CureRequest {
    bytes32 account;
    uint256 commitmentNew;
    uint64 cash;
    uint64 fee;
    uint40 deadline;
    Flow[] flows;
    EpochPoints epoch;
    uint256[8] proof;
    bytes signature;
}

/// @dev One side of a trade.
struct TradeSide {
    bytes32 account;
    uint256 commitmentNew;
    uint256 ciphertext;
    uint64 fee;
    uint40 deadline;
    uint256[8] proof;
    bytes signature;
}

/// @dev A trade: `plus` receives the legs of the hidden word, `minus` gives them.
struct TradeRequest {
    uint256 tradeTag;
    EpochPoints epoch;
    TradeSide plus;
    TradeSide minus;
}

/// @dev Pays out cash and collateral (lots < 0) to what `recipient` may claim, with a proof of the withdraw policy.
struct WithdrawRequest {
    bytes32 account;
    uint256 commitmentNew;
    uint64 cash;
    uint64 fee;
    uint40 deadline;
    address recipient;
    Flow[] flows;
    EpochPoints epoch;
    uint256[8] proof;
    bytes signature;
}

/// @dev A withdrawal of an account without derivatives and without debt, or its close; needs no epoch.
struct FlatRequest {
    bytes32 account;
    uint256 commitmentNew;
    uint64 cash;
    uint64 fee;
    uint40 deadline;
    address recipient;
    Flow[] flows;
    uint256[8] proof;
    bytes signature;
}

/// @dev Shows that the account meets a named policy at an epoch; nothing is written but the time.
struct AttestRequest {
    bytes32 account;
    bytes32 policy;
    uint40 deadline;
    EpochPoints epoch;
    uint256[8] proof;
}

/// @title Accounts whose positions nobody sees, and the actions on them
/// @notice An account is a commitment to positions and cash. Each action brings a proof that the new state follows from the old one and meets the action's
///         policy; which action may do what is written in ActionRules, and only there. The submitter need not be the owner.
/// @dev Every action goes: checks, verification, state, event, tokens.
///      Safety assumptions
///      - Those of IMarginVerifier (set-up, curve), IKeyRegistry (keys, flat point), IRiskOracle (quorum, points) and ICollateralVault (tokens).
///      - auth's key, or ERC-1271 wallet, signs only what its owner wants: a signature over an Action allows exactly that transition. Warning: an account with code
///        (ERC-1271, or delegated by EIP-7702) can change its mind about a signature until it is used.
///      - The viewing key hides; who knows it can read the account and prove for it, never act.
///      - Solvency of the venue: between attestations the maintenance policy's horizon covers the interval. Deadlines and liquidation are not built yet, so
///        `isCurrent` tells an integrator how old a proof is and nothing enforces a next one.
///      - A fee goes to whoever's transaction is mined first: who copies a submitter's call from the mempool takes its fee, and nothing else. The signature says what is
///        paid, not to whom, so that any submitter can help; a submitter that minds sends through a private relay.
///      Liveness assumptions
///      - Those of IRiskOracle for actions that need an epoch. Deposits and flat exits need none.
///      - An account takes part in a step of generation within that generation: one that sleeps through two can only deposit or leave flat, until `roll` is built.
///      - The oracle's guardian may pause opening, trades, withdrawals and attestations; neither funding, deposits, cures nor flat exits. Nobody else has any
///        say: this contract has neither owner nor admin.
interface IClearingHouse {
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
    /// @notice Both sides of a trade. With its viewing key each side reads the word from its ciphertext.
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
    /// @notice A deposit, cure, withdrawal or close; cash flow with its sign, fee included.
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
    event Attested(bytes32 indexed account, bytes32 indexed policy, uint64 epoch, uint40 time, uint40 provenAt);
    event Invalidated(bytes32 indexed account, bytes32 indexed digest);
    event FeesCollected(address indexed submitter, address indexed to, uint256 amount);

    /// @notice The action is not allowed in the account's status.
    error StatusWrong(bytes32 account, Status status, ActionKind kind);
    /// @notice The account number was used before.
    error AccountTaken(bytes32 account, Status status);
    /// @notice auth must not be zero.
    error AuthZero();
    /// @notice The ephemeral point must not be the identity, whose shared secret is known to all: the viewing key would be public.
    error EphemeralIdentity();
    /// @notice The deadline has passed.
    error DeadlinePassed(uint40 deadline, uint256 time);
    /// @notice The signature is not auth's over this digest.
    error SignatureWrong(bytes32 account, address auth, bytes32 digest);
    /// @notice auth has burned this digest.
    error DigestInvalidated(bytes32 account, bytes32 digest);
    /// @notice A typed amount or fee is not below the limit.
    error AmountTooLarge(uint256 amount, uint256 limit);
    /// @notice The fee exceeds the cash that is absorbed.
    error FeeAboveAmount(uint64 fee, uint64 cash);
    /// @notice Slots must be strictly increasing and below the statement's number.
    error FlowSlotInvalid(uint16 slot, uint256 previousPlusOne, uint16 slots);
    /// @notice Lots must have the action's sign, not be zero, and at most the limit in absolute value.
    error FlowLotsInvalid(uint16 slot, int64 lots, FlowRule rule, int64 limit);
    /// @notice A recipient must be given.
    error RecipientZero();
    /// @notice A trade takes two different accounts.
    error SelfTrade(bytes32 account);
    /// @notice Both sides of a trade must be at one generation and one key version.
    error SidesDiffer(uint24 generationPlus, uint24 generationMinus, uint16 keyVersionPlus, uint16 keyVersionMinus);
    /// @notice The generation is not the account's or the next one.
    error GenerationWrong(bytes32 account, uint24 accountGeneration, uint24 generation);
    /// @notice The epoch was signed for another key version.
    error KeyVersionWrong(bytes32 account, uint16 accountVersion, uint16 epochVersion);
    /// @notice The epoch is older than the prices of the account's last proof.
    error EpochOlderThanProof(bytes32 account, uint40 epochTime, uint40 provenAt);
    /// @notice The points in the call are not those that the epoch signed.
    error PointsMismatch(bytes32 given, bytes32 signed);
    /// @notice The epoch has no policy of this name.
    error PolicyUnknown(bytes32 name);
    /// @notice Nothing to collect.
    error FeesZero(address submitter);
    /// @notice A part of the system is not where it was said to be.
    error WiringWrong(address vault, address house);

    function open(OpenRequest calldata request) external returns (bytes32 account);
    function deposit(DepositRequest calldata request) external;
    function trade(TradeRequest calldata request) external;
    function withdraw(WithdrawRequest calldata request) external;
    function cure(CureRequest calldata request) external;
    function attest(AttestRequest calldata request) external;
    function withdrawFlat(FlatRequest calldata request) external;

    /// @notice Pays out what the request states and ends the account; whatever else it held is forfeited, and its number is never used again.
    function close(FlatRequest calldata request) external;

    /// @notice Burns a digest that the caller, as auth of its account number `index`, may have signed; before opening, too.
    function invalidate(uint64 index, bytes32 digest) external;

    /// @notice The same by auth's signature over Invalidate, carried in by anyone.
    function invalidateFor(address auth, uint64 index, bytes32 digest, bytes calldata signature) external;

    /// @notice Moves the caller's fees to what `to` may claim from the vault.
    function collectFees(address to) external returns (uint256 amount);

    /// @notice An account; all zero if it was never opened.
    function accountOf(bytes32 account) external view returns (Account memory);

    /// @notice Whether the account is active, its key live, and its margin was proved at prices at most `maxAge` seconds old.
    function isCurrent(bytes32 account, uint256 maxAge) external view returns (bool);

    /// @notice Time of the latest epoch at which the account, as it is now, attested `policy`; 0 if never. Any change of the account ends it.
    /// @dev Warning: a named policy says what it says and is no solvency; use `isCurrent` for that.
    function attested(bytes32 account, bytes32 policy) external view returns (uint40 time);

    /// @notice Fees that a submitter may collect, in micro-dollars.
    function feesOf(address submitter) external view returns (uint256);

    /// @notice Whether auth has burned the digest for this account.
    function isInvalidated(bytes32 account, bytes32 digest) external view returns (bool);

    /// @notice The number of the account that `auth` opens, or has opened, with `index`.
    function accountId(address auth, uint64 index) external view returns (bytes32);
}
