// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AttestationTerms, IAttestationVerifier, ShownAttestation} from "../interfaces/IAttestationVerifier.sol";

/// @title An example: a credit line that is open to whoever shows that a hidden account meets a policy
/// @notice It asks for a policy by name, gives each account a challenge that changes with each use, and keeps until
///         when the line is open. It lends nothing: what is done while the line is open is another contract's business.
contract CreditLine {
    /// @notice Greatest age of the prices that it takes, in seconds.
    uint40 public constant MAX_AGE = 60;
    /// @notice Seconds for which the line is open after an attestation.
    uint40 public constant TERM = 1 hours;
    /// @notice Name of the policy that it asks for.
    bytes32 public immutable POLICY;
    /// @notice What checks attestations.
    IAttestationVerifier public immutable VERIFIER;

    /// @notice Attestations that an account has shown so far.
    mapping(bytes32 account => uint256) public shownBy;
    /// @notice Unix seconds until which the line is open to an account.
    mapping(bytes32 account => uint256) public openUntil;

    /// @notice The line is open.
    /// @param account The account that showed what was asked.
    /// @param until Unix seconds.
    event LineOpened(bytes32 indexed account, uint256 until);

    constructor(IAttestationVerifier verifier, bytes32 policy) {
        (VERIFIER, POLICY) = (verifier, policy);
    }

    /// @notice What an attestation of the account must be made for next.
    /// @param account The account.
    /// @return The challenge, used once.
    function challengeOf(bytes32 account) public view returns (bytes32) {
        return keccak256(abi.encode(account, shownBy[account]));
    }

    /// @notice Opens the line to the account, if it meets the policy now. Anyone may bring the attestation.
    /// @param account The account.
    /// @param shown The attestation.
    function open(bytes32 account, ShownAttestation calldata shown) external {
        AttestationTerms memory asked = AttestationTerms({
            account: account,
            policy: POLICY,
            pointHash: 0,
            challenge: challengeOf(account),
            maxAge: MAX_AGE
        });
        shownBy[account] += 1;
        openUntil[account] = block.timestamp + TERM;
        VERIFIER.check(asked, shown);
        emit LineOpened(account, openUntil[account]);
    }
}
