// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccountBook} from "./AccountBook.sol";
import {Delegated} from "./Delegated.sol";
import {VaultDesk} from "./VaultDesk.sol";
import {DeskParts} from "./interfaces/IClearingHouse.sol";
import {Bn254} from "./libraries/Bn254.sol";

/// @title ServedDesk
/// @notice A desk of the clearing house that serves one key version and reads states as numbers.
abstract contract ServedDesk is AccountBook, Delegated, VaultDesk {
    uint256 internal constant POSITIONS_PER_WORD = 7;

    /// @dev Version of the keys that the desk serves.
    uint16 internal immutable SERVED;

    constructor(
        DeskParts memory parts
    ) AccountBook(parts.registry, parts.oracle, parts.verifier, parts.wallets) VaultDesk(parts.vault) {
        parts.registry.transitionKey(parts.keyVersion); // reverts unless the key is live
        SERVED = parts.keyVersion;
    }

    function _requireServed(bytes32 account, AccountHead memory head) internal view {
        if (head.keyVersion != SERVED) revert KeyVersionWrong(account, head.keyVersion, SERVED);
    }

    /// @dev Sum of number_j rho^j, by Horner.
    function _evaluate(uint256[] calldata numbers, uint256 rho) internal pure returns (uint256 value) {
        for (uint256 j = numbers.length; j > 0; j--) {
            value = addmod(mulmod(value, rho, Bn254.R), numbers[j - 1], Bn254.R);
        }
    }

    /// @dev Words that positions of so many slots take.
    function _countWords(uint256 slots) internal pure returns (uint256) {
        return (slots + POSITIONS_PER_WORD - 1) / POSITIONS_PER_WORD;
    }
}
