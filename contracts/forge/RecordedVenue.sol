// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Deployer} from "./Deployer.sol";

/// @dev Foundry's cheat codes for the record.
interface RecordCheats {
    function keyExistsJson(string calldata json, string calldata key) external view returns (bool);

    function parseJsonAddress(string calldata json, string calldata key) external pure returns (address);

    function parseJsonBytes(string calldata json, string calldata key) external pure returns (bytes memory);

    function parseJsonBytes32(string calldata json, string calldata key) external pure returns (bytes32);

    function parseJsonString(string calldata json, string calldata key) external pure returns (string memory);

    function parseJsonUint(string calldata json, string calldata key) external pure returns (uint256);

    function readFile(string calldata path) external view returns (string memory);

    function setNonce(address account, uint64 nonce) external;

    function toString(uint256 value) external pure returns (string memory);
}

/// @notice A transaction of the record, or a call.
/// @param from Who sent it.
/// @param to Contract that was called.
/// @param time Unix seconds at which it was mined.
/// @param data Its calldata.
struct RecordedCall {
    address from;
    address to;
    uint256 time;
    bytes data;
}

/// @title A venue with real keys in a Foundry test, and real proofs for it
/// @notice Inherit it and call `deployRecorded` with the path of `recorded.json`, which `fs_permissions` must allow. It
///         deploys the contracts as they are, at the recorded addresses and times, opens two accounts and funds them.
///         `play` then makes a recorded call of theirs: "trade", "attest", "check", "withdraw", in this order, since
///         each proof is of the state that the one before left. Chain id and times must stay the recorded ones.
/// @dev `python -m zkmargin.scripts.generate.recorded` makes the record anew. "check" is the call of
///      AttestationVerifier by the contract that the attestation was made for.
abstract contract RecordedVenue is Deployer {
    error AddressDiffers(string name, address recorded, address made);

    RecordCheats private constant RECORD = RecordCheats(address(CHEATS));
    string private _path;

    function deployRecorded(string memory path) internal {
        _path = path;
        string memory json = RECORD.readFile(path);
        for (uint256 i = 0; ; i++) {
            string memory key = string.concat(".set_up[", RECORD.toString(i), "]");
            if (!RECORD.keyExistsJson(json, key)) break;
            if (RECORD.keyExistsJson(json, string.concat(key, ".name"))) _deploy(json, key);
            else play(_read(json, key));
        }
    }

    /// @dev A contract of the recorded venue: "ClearingHouse", "RiskOracle", "CollateralVault", and so on.
    function recordedContract(string memory name) internal view returns (address) {
        return RECORD.parseJsonAddress(RECORD.readFile(_path), string.concat(".contracts.", name));
    }

    /// @dev Account number of "alice" or "bob".
    function recordedAccount(string memory name) internal view returns (bytes32) {
        return RECORD.parseJsonBytes32(RECORD.readFile(_path), string.concat(".accounts.", name));
    }

    /// @dev A recorded call, to be played as it is or changed.
    function recordedCall(string memory name) internal view returns (RecordedCall memory) {
        return _read(RECORD.readFile(_path), string.concat(".calls.", name));
    }

    /// @dev Makes a recorded call, by its sender and at its time; reverts with its reason.
    function play(string memory name) internal returns (bytes memory) {
        return play(recordedCall(name));
    }

    /// @dev Makes a call, by its sender and at its time; reverts with its reason.
    function play(RecordedCall memory call) internal returns (bytes memory answer) {
        CHEATS.warp(call.time);
        CHEATS.prank(call.from);
        bool passed;
        (passed, answer) = call.to.call(call.data);
        if (!passed) {
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
    }

    function _deploy(string memory json, string memory key) private {
        RecordedCall memory step = _read(json, key);
        string memory name = RECORD.parseJsonString(json, string.concat(key, ".name"));
        bytes memory code = getCode(RECORD.parseJsonString(json, string.concat(key, ".file")), name);
        CHEATS.warp(step.time);
        RECORD.setNonce(step.from, uint64(RECORD.parseJsonUint(json, string.concat(key, ".nonce"))));
        CHEATS.prank(step.from);
        address made = create(bytes.concat(code, step.data));
        if (made != step.to) revert AddressDiffers(name, step.to, made);
    }

    function _read(string memory json, string memory key) private pure returns (RecordedCall memory step) {
        step.from = RECORD.parseJsonAddress(json, string.concat(key, ".from"));
        step.to = RECORD.parseJsonAddress(json, string.concat(key, ".to"));
        step.time = RECORD.parseJsonUint(json, string.concat(key, ".time"));
        step.data = RECORD.parseJsonBytes(json, string.concat(key, ".data"));
    }
}
