// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IRevealVerifier} from "../interfaces/IRevealVerifier.sol";

/// @title For tests alone: a verifier of revelations that accepts every one
/// @notice With it a test needs no circuit: eight zero words are a proof.
contract AcceptAllReveals is IRevealVerifier {
    /// @notice Who deployed it.
    address public immutable DEPLOYER = msg.sender;

    /// @notice Stands for the place of a key.
    /// @return Not zero.
    function key() external view returns (address) {
        return address(this);
    }

    /// @notice Stores nothing.
    function fix(bytes calldata) external pure {
        revert KeyFixed();
    }

    /// @inheritdoc IRevealVerifier
    function verify(uint256, uint256, uint256, uint256[8] calldata) external pure {}
}
