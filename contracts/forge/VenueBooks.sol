// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IClearingHouse} from "../src/interfaces/IClearingHouse.sol";
import {ICollateralVault} from "../src/interfaces/ICollateralVault.sol";
import {VenueHandler} from "./VenueHandler.sol";
import {Mintable} from "./ZkMarginFixture.sol";

/// @title The handler's books against what vault and house hold
abstract contract VenueBooks {
    VenueHandler private _parties;
    IClearingHouse private _house;
    ICollateralVault private _vault;
    Mintable[2] private _tokens;

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_parties);
    }

    function lookAt(VenueHandler parties) internal {
        _parties = parties;
        (_house, _vault, _tokens[0], _tokens[1]) = parties.parts();
    }

    /// @dev One invariant, not three: forge would make the calls anew for each.
    /// @param surplus Micro-dollars that belong to nobody's account.
    function requireBooks(uint256 surplus) internal view {
        string memory fault = _parties.fault();
        require(bytes(fault).length == 0, fault);
        bytes32[] memory inboxes = _parties.inboxes();
        for (uint256 i = 0; i < 2; i++) {
            address token = address(_tokens[i]);
            uint256 booked = _vault.held(token) + _parties.owed(token);
            for (uint256 k = 0; k < inboxes.length; k++) booked += _vault.inbox(inboxes[k], token);
            require(booked == _tokens[i].balanceOf(address(_vault)), "balance = inboxes + held + owed");
            require(int256(_vault.held(token)) == _parties.absorbed(token), "held = absorbed - released");
        }
        int256 held = int256(_vault.held(address(_tokens[0])));
        require(
            held == _parties.hiddenCash() + int256(_parties.fees() + surplus),
            "held = hidden cash + fees + surplus"
        );
        require(_house.feesOf(address(_parties)) == _parties.fees(), "fees");
    }
}
