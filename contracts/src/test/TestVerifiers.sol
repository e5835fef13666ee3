// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC7913P256Verifier} from "@openzeppelin/contracts/utils/cryptography/verifiers/ERC7913P256Verifier.sol";

/// @dev OpenZeppelin's verifier of P-256 keys, so that it is compiled.
contract TestP256Verifier is ERC7913P256Verifier {}
