// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

// Import this beside ZkMarginFixture.sol, anywhere in a Foundry project: forge then makes the artifacts that the
// fixture deploys. Needs `via_ir = true` and `evm_version = "cancun"` or later.
import {AccountDesk} from "../src/AccountDesk.sol";
import {AttestationVerifier} from "../src/AttestationVerifier.sol";
import {BatchDesk} from "../src/BatchDesk.sol";
import {ClearingHouse} from "../src/ClearingHouse.sol";
import {CollateralVault} from "../src/CollateralVault.sol";
import {KeyRegistry} from "../src/KeyRegistry.sol";
import {MarginVerifier} from "../src/MarginVerifier.sol";
import {RiskOracle} from "../src/RiskOracle.sol";
import {TestUSDC, TestWETH} from "../src/test/TestTokens.sol";
