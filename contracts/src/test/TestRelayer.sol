// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @dev A relayer that carries several calls in one transaction, each on its own: one that is refused stops no other.
contract TestRelayer {
    event Carried(uint256 done);

    function carry(address target, bytes[] calldata calls) external returns (uint256 done) {
        for (uint256 i = 0; i < calls.length; i++) {
            (bool success, ) = target.call(calls[i]);
            if (success) done += 1;
        }
        emit Carried(done);
    }
}
