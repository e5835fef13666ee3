// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @dev An ERC-20 that does what the standard says, from any balances, and refuses to pay whom it blocks.
contract PlainToken {
    error Blocked(address to);

    uint8 public immutable decimals;
    mapping(address holder => uint256) public balanceOf;
    mapping(address holder => mapping(address spender => uint256)) public allowance;
    mapping(address holder => bool) public isBlocked;

    constructor(uint8 decimals_) {
        decimals = decimals_;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        _move(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        allowance[from][msg.sender] -= amount;
        _move(from, to, amount);
        return true;
    }

    function _move(address from, address to, uint256 amount) private {
        if (isBlocked[to]) revert Blocked(to);
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// @dev A clock and terms of any value within the bounds of PaymentClock, which do not change during a call.
contract AnyClock {
    uint40 public liveTime;
    uint24 public delay;
    uint16 public dailyShare;
    address public guardian;
    address public owner;

    function set(uint40 liveTime_, uint24 delay_, uint16 dailyShare_, address guardian_, address owner_) external {
        (liveTime, delay, dailyShare, guardian, owner) = (liveTime_, delay_, dailyShare_, guardian_, owner_);
    }

    function paymentTerms() external view returns (uint40, uint24, uint16) {
        return (liveTime, delay, dailyShare);
    }
}
