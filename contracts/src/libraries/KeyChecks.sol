// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IKeyRegistry} from "../interfaces/IKeyRegistry.sol";
import {Bn254, G1Place} from "./Bn254.sol";
import {KeyData, KeyHead} from "./KeyData.sol";

/// @title The checks of a Groth16 verification key, and its storage as code
library KeyChecks {
    using Bn254 for G1Place;

    /// @dev keccak256 of x of the generator of G2 (EIP-197), 64 bytes as the pairing precompile reads them.
    bytes32 private constant GENERATOR_X_HASH_OF_G2 = keccak256(
        abi.encode(
            11559732032986387107991004021392285783925812861821192530917403151452391805634,
            10857046999023057135944570762232829481370756359578518086990519993285655852781
        )
    );

    /// @dev x of the generator of G1 (EIP-196).
    uint256 private constant GENERATOR_X_OF_G1 = 1;

    /// @notice Reverts unless `key` has that many IC points and every element passes; see IKeyRegistry.
    function requireSound(bytes calldata key, uint256 points) internal view {
        uint256 expected = KeyData.size(points);
        if (key.length != expected) revert IKeyRegistry.KeySizeWrong(key.length, expected);
        _requirePoint(key, KeyData.ALPHA);
        _requireGroupElement(key, KeyData.BETA);
        _requireGroupElement(key, KeyData.GAMMA);
        _requireGroupElement(key, KeyData.DELTA);
        for (uint256 offset = KeyData.IC; offset < expected; offset += KeyData.POINT) _requirePoint(key, offset);
        // P and -P share x, and opposite elements forge as well as equal ones do.
        bytes32 beta = _hashX(key, KeyData.BETA);
        bytes32 gamma = _hashX(key, KeyData.GAMMA);
        bytes32 delta = _hashX(key, KeyData.DELTA);
        if (beta == gamma || beta == GENERATOR_X_HASH_OF_G2) revert IKeyRegistry.KeySetUpUnsafe(beta);
        if (delta == gamma || delta == beta || delta == GENERATOR_X_HASH_OF_G2)
            revert IKeyRegistry.KeySetUpUnsafe(delta);
        if (abi.decode(key[KeyData.ALPHA:KeyData.ALPHA + 32], (uint256)) == GENERATOR_X_OF_G1) {
            revert IKeyRegistry.KeySetUpUnsafe(keccak256(key[KeyData.ALPHA:KeyData.ALPHA + 32]));
        }
    }

    /// @notice Whether (x, y) is a point of G1 other than the identity.
    function isPoint(uint256 x, uint256 y) internal pure returns (bool) {
        return Bn254.isPoint(x, y);
    }

    /// @notice The key of `open` or `rekey` with the committee's terms, which are the same in every proof, in its
    ///         constant's point.
    /// @param key The key.
    /// @param place Of committeeX among the IC points; committeeY follows.
    /// @param x The committee's key, a coordinate.
    /// @param y Its other coordinate.
    function fold(bytes calldata key, uint256 place, uint256 x, uint256 y) internal view returns (bytes memory folded) {
        folded = key;
        KeyHead head;
        assembly ("memory-safe") {
            head := add(folded, 0x20)
        }
        G1Place constant_ = KeyData.ic(head, 0);
        constant_.addProduct(KeyData.ic(head, place), x);
        constant_.addProduct(KeyData.ic(head, place + 1), y);
    }

    /// @notice Writes `key` as the code of a new contract, behind a STOP.
    /// @dev The creation code, 12 bytes, copies what follows it to memory and returns it:
    ///      PUSH2 size, DUP1, PUSH1 12, PUSH1 0, CODECOPY, PUSH1 0, RETURN.
    function store(bytes memory key) internal returns (address pointer) {
        bytes memory creation = abi.encodePacked(
            hex"61",
            uint16(key.length + 1),
            hex"80600c6000396000f3",
            hex"00",
            key
        );
        assembly ("memory-safe") {
            pointer := create(0, add(creation, 0x20), mload(creation))
            if iszero(pointer) {
                returndatacopy(mload(0x40), 0, returndatasize())
                revert(mload(0x40), returndatasize())
            }
        }
    }

    /// @dev keccak256 of x of the element of G2 at `offset`.
    function _hashX(bytes calldata key, uint256 offset) private pure returns (bytes32) {
        return keccak256(key[offset:offset + 64]);
    }

    function _requirePoint(bytes calldata key, uint256 offset) private pure {
        (uint256 x, uint256 y) = abi.decode(key[offset:offset + 64], (uint256, uint256));
        if (!Bn254.isPoint(x, y)) revert IKeyRegistry.KeyPointInvalid(offset, x, y);
    }

    /// @dev e(G, P) e(-G, P) = 1 for every P that the precompile accepts, and it accepts points of the subgroup only.
    ///      The identity is refused apart.
    function _requireGroupElement(bytes calldata key, uint256 offset) private view {
        bytes calldata element = key[offset:offset + 128];
        bool isIdentity = keccak256(element) == keccak256(new bytes(128));
        (bool accepted, bytes memory result) = address(0x08).staticcall{gas: Bn254.PAIRING_GAS + 2 * Bn254.PAIR_GAS}(
            abi.encodePacked(uint256(1), uint256(2), element, uint256(1), Bn254.Q - 2, element)
        );
        if (isIdentity || !accepted || result.length != 32 || abi.decode(result, (uint256)) != 1) {
            revert IKeyRegistry.KeyGroupElementInvalid(offset);
        }
    }
}
