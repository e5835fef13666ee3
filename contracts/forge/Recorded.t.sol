// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccountViews} from "../src/interfaces/IAccountViews.sol";
import {IAccountBook} from "../src/interfaces/IAccountBook.sol";
import {ActionRequest, IClearingHouse, TradeRequest} from "../src/interfaces/IClearingHouse.sol";
import {IMarginVerifier} from "../src/interfaces/IMarginVerifier.sol";
import {RecordedCall, RecordedVenue} from "./RecordedVenue.sol";

/// @title Recorded proofs pass the real verifier, each for what it was made for and for nothing else
contract RecordedTest is RecordedVenue {
    IClearingHouse private _house;
    bytes32 private _alice;

    function setUp() public {
        deployRecorded("forge/recorded.json");
        _house = IClearingHouse(recordedContract("ClearingHouse"));
        _alice = recordedAccount("alice");
    }

    function test_recorded_proofs_are_accepted() public {
        uint256 before = _house.accountOf(_alice).commitment;
        play("trade");
        uint256 traded = _house.accountOf(_alice).commitment;
        play("attest");
        require(IAccountViews(_house.VIEWS()).isCurrent(_alice, 60), "current");
        (uint40 time, bytes32 pointHash) = abi.decode(play("check"), (uint40, bytes32));
        require(time != 0 && pointHash != 0, "checked");
        play("withdraw");
        uint256 left = _house.accountOf(_alice).commitment;
        require(before != traded && traded != left, "written");
    }

    /// @dev The proof of one side in place of the other's: it verifies, for another statement.
    function test_another_proof_is_refused() public {
        RecordedCall memory call = recordedCall("trade");
        TradeRequest memory request = abi.decode(_arguments(call.data), (TradeRequest));
        (request.plus.proof, request.minus.proof) = (request.minus.proof, request.plus.proof);
        call.data = abi.encodeCall(IClearingHouse.trade, (request));
        _requireRefused(call, IMarginVerifier.ProofRejected.selector);
    }

    /// @dev A proof is of one state, so it is refused before the trade that led to it, and after the next one.
    function test_a_proof_of_another_state_is_refused() public {
        RecordedCall memory call = recordedCall("attest");
        ActionRequest memory request = abi.decode(_arguments(call.data), (ActionRequest));
        _requireRefused(call, IAccountBook.CommitmentStale.selector);
        request.commitmentOld = _house.accountOf(_alice).commitment;
        call.data = abi.encodeCall(IClearingHouse.attest, (request));
        _requireRefused(call, IMarginVerifier.ProofRejected.selector);
    }

    /// @dev An attestation was made for one recipient.
    function test_another_recipient_is_told_nothing() public {
        play("trade");
        RecordedCall memory call = recordedCall("check");
        call.from = address(this);
        _requireRefused(call, IMarginVerifier.ProofRejected.selector);
    }

    function _requireRefused(RecordedCall memory call, bytes4 reason) private {
        CHEATS.warp(call.time);
        CHEATS.prank(call.from);
        (bool passed, bytes memory answer) = call.to.call(call.data);
        require(!passed, "accepted");
        require(bytes4(answer) == reason, string(abi.encodePacked("another reason: ", answer)));
    }

    function _arguments(bytes memory data) private pure returns (bytes memory arguments) {
        arguments = new bytes(data.length - 4);
        for (uint256 i = 0; i < arguments.length; i++) arguments[i] = data[i + 4];
    }
}
