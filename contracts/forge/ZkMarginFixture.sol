// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {ActionKind} from "../src/generated/ActionRules.sol";
import {Action, Epoch, Messages, Open} from "../src/generated/Messages.sol";
import {IAccountBook} from "../src/interfaces/IAccountBook.sol";
import {IAccountDesk} from "../src/interfaces/IAccountDesk.sol";
import {EpochPoint, IClearingHouse, MarginAccount, OpenRequest, RoutedDesk} from "../src/interfaces/IClearingHouse.sol";
import {Collateral, ICollateralVault} from "../src/interfaces/ICollateralVault.sol";
import {IRiskOracle, Point} from "../src/interfaces/IRiskOracle.sol";
import {IWalletSignatures} from "../src/interfaces/IWalletSignatures.sol";
import {Points} from "../src/libraries/Points.sol";
import {AcceptAllVerifier} from "../src/mocks/AcceptAllVerifier.sol";
import {OneKeyRegistry} from "../src/mocks/OneKeyRegistry.sol";
import {Deployer} from "./Deployer.sol";

/// @dev A token that anyone mints.
interface Mintable is IERC20 {
    function mint(address to, uint256 amount) external;
}

/// @title A whole venue in a Foundry test, without circuits and proofs
/// @notice Inherit it, call `deployVenue`, and act on `house`, `vault` and `oracle`: eight zero words are a proof. It
///         is the real contracts with test tokens, a verifier that accepts everything and a registry with one key
///         version. Three publishers sign, two make a quorum.
abstract contract ZkMarginFixture is Deployer {
    uint16 internal constant WETH_SLOT = 12;
    uint96 internal constant WETH_LOT = 1e15;
    uint40 internal constant NEVER = type(uint40).max;
    uint64 internal constant STEP_SECONDS = 1 hours;

    Mintable internal usdc;
    Mintable internal weth;
    AcceptAllVerifier internal verifier;
    OneKeyRegistry internal registry;
    IRiskOracle internal oracle;
    ICollateralVault internal vault;
    IClearingHouse internal house;

    uint256[3] private _publishers;
    Point[] private _points;
    uint256 private _serial;
    uint256 private _steppedAt;

    // ------------------------------------------------------------------ the venue

    /// @dev Deploys everything, mints tokens to this contract, and posts a first epoch.
    function deployVenue() internal {
        usdc = Mintable(deployCode("TestTokens", "TestUSDC", ""));
        weth = Mintable(deployCode("TestTokens", "TestWETH", ""));
        verifier = new AcceptAllVerifier();
        registry = new OneKeyRegistry();
        oracle = IRiskOracle(
            deployCode(
                "RiskOracle",
                "RiskOracle",
                abi.encode(address(this), address(this), registry, uint24(0), uint40(0), _makePublishers(), uint8(2))
            )
        );
        address desk = deployCode("AccountDesk", "AccountDesk", abi.encode(registry, oracle, verifier));
        address batches = deployCode(
            "BatchDesk",
            "BatchDesk",
            abi.encode(registry, oracle, verifier, IAccountBook(desk).WALLETS())
        );
        Collateral[] memory collaterals = new Collateral[](1);
        collaterals[0] = Collateral(WETH_SLOT, address(weth), WETH_LOT);
        address expected = CHEATS.computeCreateAddress(
            address(this),
            CHEATS.getNonce(address(this)) + 1 + routedParts()
        );
        vault = ICollateralVault(
            deployCode("CollateralVault", "CollateralVault", abi.encode(expected, oracle, usdc, collaterals))
        );
        house = IClearingHouse(
            deployCode(
                "ClearingHouse",
                "ClearingHouse",
                abi.encode(registry, oracle, verifier, vault, desk, batches, deployRouted(IAccountBook(desk).WALLETS()))
            )
        );
        for (uint256 i = 0; i < 2; i++) {
            Mintable token = i == 0 ? usdc : weth;
            token.mint(address(this), 1e30);
            token.approve(address(vault), type(uint256).max);
        }
        _points.push(Point("initial", 1, 2));
        _points.push(Point("maintenance", 1, 2));
        _points.push(Point("net_delta", 1, 2));
        _points.push(Point("withdraw", 1, 2));
        postEpoch(false, false);
    }

    /// @dev Contracts that `deployRouted` makes.
    function routedParts() internal view virtual returns (uint256) {
        return 0;
    }

    /// @dev The desks that the house finds by selector; none unless a test says so.
    function deployRouted(IWalletSignatures) internal virtual returns (RoutedDesk[] memory) {}

    /// @dev The next epoch, at the block's time. A step waits until the last one is an hour old.
    function postEpoch(bool isStep, bool isUrgent) internal returns (uint64 number) {
        uint256 earliest = _steppedAt + STEP_SECONDS;
        if (isStep && block.timestamp < earliest) CHEATS.warp(earliest);
        Epoch memory epoch;
        number = epoch.number = oracle.latestNumber() + 1;
        epoch.time = uint40(block.timestamp);
        epoch.generation = oracle.generation();
        epoch.pointsRoot = Points.root(_points);
        epoch.minEpoch = isUrgent ? number : 0;
        bytes memory settlement = isStep ? bytes("settlement") : bytes("");
        epoch.settlementHash = keccak256(settlement);
        if (isStep) {
            (epoch.generation, epoch.settlementX, epoch.settlementY) = (epoch.generation + 1, 1, 2);
            _steppedAt = block.timestamp;
        }
        oracle.postEpoch(epoch, _points, settlement, _signEpoch(epoch));
    }

    /// @dev An epoch as an action carries it, with the point of a policy.
    function pointOf(uint64 number, bytes32 policy) internal view returns (EpochPoint memory given) {
        bytes32[] memory nodes = Points.tree(_points);
        uint256 place = 0;
        while (_points[place].name != policy) place++;
        (given.number, given.x, given.y) = (number, _points[place].x, _points[place].y);
        given.path = new bytes32[](2); // of four points
        for (uint256 i = 0; i < 2; i++) {
            given.path[i] = nodes[place ^ 1];
            place = _points.length + place / 2;
        }
    }

    // ------------------------------------------------------------------ accounts

    /// @dev A number that was not given before: stands for a commitment, a tag or a ciphertext.
    function fresh() internal returns (uint256) {
        return uint256(keccak256(abi.encode(++_serial))) >> 4;
    }

    /// @dev Opens the next account of a key.
    function openAccount(uint256 key, uint64 index) internal returns (bytes32 account, OpenRequest memory request) {
        request.auth = CHEATS.addr(key);
        request.index = index;
        request.keyVersion = 1;
        request.generation = oracle.generation();
        request.commitment = fresh();
        (request.ephemeralX, request.ephemeralY, request.escrowedKey) = (5, 6, 7);
        request.deadline = NEVER;
        account = house.accountId(request.auth, index);
        Open memory message = Open({
            account: account,
            auth: request.auth,
            index: index,
            keyVersion: 1,
            generation: request.generation,
            commitment: request.commitment,
            escrowHash: keccak256(abi.encode(5, 6, 7, 1)),
            submitter: address(0),
            deadline: NEVER
        });
        request.signature = signHash(key, Messages.hash(message));
        IAccountDesk(address(house)).open(request);
    }

    /// @dev The action as the house will build it, from what it has of the account; amounts, flows, sides and recipient
    ///      are still to be filled in. `epoch` is 0 for an action that takes none.
    function draftAction(ActionKind kind, bytes32 account, uint64 epoch) internal returns (Action memory action) {
        MarginAccount memory stored = house.accountOf(account);
        action.kind = uint8(kind);
        action.account = account;
        action.keyVersion = stored.keyVersion;
        action.generationOld = stored.generation;
        action.generationNew = epoch == 0 ? stored.generation : oracle.getEpoch(epoch).generation;
        action.epoch = epoch;
        action.commitmentOld = stored.commitment;
        action.commitmentNew = fresh();
        action.deadline = NEVER;
    }

    /// @dev The signature of a key over a message of the clearing house's domain.
    function signHash(uint256 key, bytes32 structHash) internal view returns (bytes memory) {
        return _sign(key, MessageHashUtils.toTypedDataHash(_separatorOf(address(house)), structHash));
    }

    /// @dev The signatures of a quorum of publishers over a message of the clearing house's domain.
    function signByQuorum(bytes32 structHash) internal view returns (bytes[] memory) {
        return _signQuorum(MessageHashUtils.toTypedDataHash(_separatorOf(address(house)), structHash));
    }

    // ------------------------------------------------------------------ signatures

    function _makePublishers() private returns (bytes[] memory signers) {
        signers = new bytes[](3);
        for (uint256 i = 0; i < 3; i++) {
            uint256 key = uint256(keccak256(abi.encode("publisher", i)));
            bytes memory signer = abi.encodePacked(CHEATS.addr(key));
            uint256 place = i;
            while (place > 0 && keccak256(signers[place - 1]) > keccak256(signer)) {
                (signers[place], _publishers[place]) = (signers[place - 1], _publishers[place - 1]);
                place--;
            }
            (signers[place], _publishers[place]) = (signer, key);
        }
    }

    function _signEpoch(Epoch memory epoch) private view returns (bytes[] memory) {
        return _signQuorum(oracle.hashEpoch(epoch));
    }

    function _signQuorum(bytes32 digest) private view returns (bytes[] memory signatures) {
        signatures = new bytes[](2);
        for (uint256 i = 0; i < 2; i++) signatures[i] = _sign(_publishers[i], digest);
    }

    function _sign(uint256 key, bytes32 digest) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = CHEATS.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _separatorOf(address verifying) private view returns (bytes32) {
        (bytes1 fields, string memory name, string memory version, uint256 chainId, , bytes32 salt, ) = IERC5267(
            verifying
        ).eip712Domain();
        return MessageHashUtils.toDomainSeparator(fields, name, version, chainId, verifying, salt);
    }
}
