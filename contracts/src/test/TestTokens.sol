// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @dev Stands for USDC on a development chain: six decimals, ERC-2612, anyone mints.
contract TestUSDC is ERC20Permit {
    constructor() ERC20("Test USD Coin", "USDC") ERC20Permit("Test USD Coin") {}

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @dev Stands for wrapped ether on a development chain: 18 decimals, anyone mints.
contract TestWETH is ERC20 {
    constructor() ERC20("Test Wrapped Ether", "WETH") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @dev Keeps a share of every transfer, one per cent at first, so that the receiver gets less than was sent.
contract FeeToken is ERC20 {
    uint256 private _percent = 1;

    constructor() ERC20("Fee Token", "FEE") {}

    function setFee(uint256 percent) external {
        _percent = percent;
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function _update(address from, address to, uint256 value) internal override {
        if (from != address(0) && to != address(0)) {
            uint256 fee = (value * _percent) / 100;
            super._update(from, address(0xdead), fee);
            value -= fee;
        }
        super._update(from, to, value);
    }
}

/// @dev Calls back into a chosen contract during each transfer, and passes its revert on.
contract ReentrantToken is ERC20 {
    address private _target;
    bytes private _call;

    constructor() ERC20("Reentrant Token", "LOOP") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function arm(address target, bytes calldata call_) external {
        (_target, _call) = (target, call_);
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (_target != address(0) && from != address(0)) {
            (bool success, bytes memory result) = _target.call(_call);
            if (!success) {
                assembly ("memory-safe") {
                    revert(add(result, 0x20), mload(result))
                }
            }
        }
    }
}

/// @dev Refuses transfers to an address, by a revert or by returning false.
contract BlockingToken is ERC20 {
    error Blocked(address to);

    mapping(address to => bool) private _blocked;
    bool private _isSilent;

    constructor() ERC20("Blocking Token", "BLK") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setBlocked(address to, bool blocked, bool isSilent) external {
        (_blocked[to], _isSilent) = (blocked, isSilent);
    }

    function transfer(address to, uint256 value) public override returns (bool) {
        if (_blocked[to] && _isSilent) return false;
        if (_blocked[to]) revert Blocked(to);
        return super.transfer(to, value);
    }
}

/// @dev Takes units away from a holder by itself, as a token that rebases downwards.
contract ShrinkingToken is ERC20 {
    constructor() ERC20("Shrinking Token", "SHR") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function shrink(address holder, uint256 amount) external {
        _burn(holder, amount);
    }
}
