// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Flow} from "./generated/Messages.sol";
import {Collateral, ICollateralVault} from "./interfaces/ICollateralVault.sol";
import {AccountId} from "./libraries/AccountId.sol";

/// @title CollateralVault
/// @notice What it does and what it relies on is written in ICollateralVault.
contract CollateralVault is ICollateralVault, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    struct Unit {
        address token;
        uint96 lot;
    }

    /// @notice Who absorbs and releases.
    address public immutable CLEARING_HOUSE;
    /// @notice The cash token, six decimals: one unit is one micro-dollar.
    address public immutable CASH;

    /// @inheritdoc ICollateralVault
    mapping(bytes32 account => mapping(address token => uint256)) public inbox;
    /// @inheritdoc ICollateralVault
    mapping(address token => uint256) public held;
    /// @inheritdoc ICollateralVault
    mapping(address recipient => mapping(address token => uint256)) public claimable;
    /// @inheritdoc ICollateralVault
    mapping(uint16 slot => Unit) public collateralOf;
    /// @notice Whether a token is the cash token or a collateral.
    mapping(address token => bool) public isRegistered;

    modifier onlyClearingHouse() {
        if (msg.sender != CLEARING_HOUSE) revert CallerNotClearingHouse(msg.sender, CLEARING_HOUSE);
        _;
    }

    constructor(address clearingHouse, address cash, Collateral[] memory collaterals) {
        CLEARING_HOUSE = clearingHouse;
        CASH = cash;
        if (cash.code.length == 0) revert CollateralInvalid(0, cash, 1);
        isRegistered[cash] = true;
        for (uint256 i = 0; i < collaterals.length; i++) {
            Collateral memory collateral = collaterals[i];
            if (
                collateral.lot == 0 ||
                collateral.token.code.length == 0 ||
                isRegistered[collateral.token] ||
                collateralOf[collateral.slot].token != address(0)
            ) {
                revert CollateralInvalid(collateral.slot, collateral.token, collateral.lot);
            }
            isRegistered[collateral.token] = true;
            collateralOf[collateral.slot] = Unit(collateral.token, collateral.lot);
        }
    }

    /// @inheritdoc ICollateralVault
    function fund(bytes32 account, address token, uint256 amount) external nonReentrant {
        _fund(account, token, amount);
    }

    /// @inheritdoc ICollateralVault
    function fundWithPermit(
        bytes32 account,
        address token,
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant {
        if (!isRegistered[token]) revert TokenUnknown(token);
        // A permit can be carried in by anyone who sees it; then this call fails and the allowance is there all the
        // same. Without it the transfer fails.
        try IERC20Permit(token).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        _fund(account, token, amount);
    }

    /// @inheritdoc ICollateralVault
    function pullBack(uint64 index, address token, uint256 amount, address to) external nonReentrant {
        bytes32 account = AccountId.compute(CLEARING_HOUSE, msg.sender, index);
        _takeFromInbox(account, token, amount);
        emit PulledBack(account, token, to, amount);
        IERC20(token).safeTransfer(to, amount);
    }

    /// @inheritdoc ICollateralVault
    function claim(address token, address to) external nonReentrant returns (uint256 amount) {
        amount = claimable[msg.sender][token];
        if (amount == 0) revert AmountZero(token);
        claimable[msg.sender][token] = 0;
        emit Claimed(msg.sender, token, to, amount);
        IERC20(token).safeTransfer(to, amount);
    }

    /// @inheritdoc ICollateralVault
    function absorb(bytes32 account, uint256 cash, Flow[] calldata flows) external onlyClearingHouse nonReentrant {
        if (cash != 0) _absorb(account, CASH, cash);
        for (uint256 i = 0; i < flows.length; i++) {
            (address token, uint256 lot) = _unit(flows[i].slot);
            _absorb(account, token, uint256(int256(flows[i].lots)) * lot);
        }
    }

    /// @inheritdoc ICollateralVault
    function release(address to, uint256 cash, Flow[] calldata flows) external onlyClearingHouse nonReentrant {
        if (cash != 0) _release(to, CASH, cash);
        for (uint256 i = 0; i < flows.length; i++) {
            (address token, uint256 lot) = _unit(flows[i].slot);
            _release(to, token, uint256(-int256(flows[i].lots)) * lot);
        }
    }

    /// @inheritdoc ICollateralVault
    function requireCollateral(Flow[] calldata flows) external view {
        for (uint256 i = 0; i < flows.length; i++) _unit(flows[i].slot);
    }

    function _fund(bytes32 account, address token, uint256 amount) private {
        if (!isRegistered[token]) revert TokenUnknown(token);
        if (amount == 0) revert AmountZero(token);
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = IERC20(token).balanceOf(address(this)) - before;
        if (received != amount) revert ReceivedAmountDiffers(token, received, amount);
        inbox[account][token] += amount;
        emit Funded(account, token, msg.sender, amount);
    }

    function _takeFromInbox(bytes32 account, address token, uint256 amount) private {
        uint256 available = inbox[account][token];
        if (amount > available) revert InboxTooLow(account, token, amount, available);
        inbox[account][token] = available - amount;
    }

    function _absorb(bytes32 account, address token, uint256 amount) private {
        _takeFromInbox(account, token, amount);
        held[token] += amount;
    }

    function _release(address to, address token, uint256 amount) private {
        uint256 available = held[token];
        if (amount > available) revert HeldTooLow(token, amount, available);
        held[token] = available - amount;
        claimable[to][token] += amount;
    }

    function _unit(uint16 slot) private view returns (address token, uint256 lot) {
        Unit storage unit = collateralOf[slot];
        (token, lot) = (unit.token, unit.lot);
        if (token == address(0)) revert SlotUnknown(slot);
    }
}
