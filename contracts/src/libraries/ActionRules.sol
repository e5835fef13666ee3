// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @dev Kinds of the typed message Action, by number. OPEN has a message of its own.
enum ActionKind {
    NONE,
    OPEN,
    DEPOSIT,
    TRADE,
    WITHDRAW,
    CURE,
    ATTEST,
    ROLL,
    WITHDRAW_FLAT,
    CLOSE
}

/// @dev Life of an account. FROZEN is reached only by the default path, which is not built yet; the table below already says what it allows.
enum Status {
    NONE,
    ACTIVE,
    FROZEN,
    CLOSED
}

/// @dev Which policy a proof is checked against.
///      NO_POLICY: the all-zero policy, whose point is the identity: the state may be anything.
///      FLAT: the constant of the key version: no derivatives, no debt.
///      NAMED: a fixed name, looked up among the points of the epoch. CHOSEN: a name the caller gives, likewise.
enum PolicySource {
    NO_POLICY,
    FLAT,
    NAMED,
    CHOSEN
}

/// @dev What may flow. NOTHING; IN: typed amounts >= 0 that the inbox holds; OUT: typed amounts <= 0 to a recipient; FEE: only the fee.
enum FlowRule {
    NOTHING,
    IN,
    OUT,
    FEE
}

/// @dev What happens to provenAt. KEEP; SET: becomes the epoch's time, an older epoch is refused; RAISE: the later of both, for maintenance only.
enum ProvenRule {
    KEEP,
    SET,
    RAISE
}

struct Rule {
    PolicySource policySource;
    bytes32 policyName;
    FlowRule flows;
    bool hasSides; // a trade word, side +1 and -1; otherwise side 0, tag 0, ciphertext 0
    bool needsSignature; // auth's, over the digest of the Action
    bool needsEpoch; // a fresh epoch of the account's generation or the next; otherwise the identity settlement
    bool writes; // commitment and generation
    ProvenRule proven;
    bool whilePaused;
    bool whileFrozen;
}

/// @title The action table: which action may do what
/// @dev The only place where actions differ in what they are allowed. One test per cell: tests/contracts/test_action_table.py.
library ActionRules {
    bytes32 internal constant POLICY_NONE = bytes32(0);
    bytes32 internal constant POLICY_FLAT = "flat";
    bytes32 internal constant POLICY_INITIAL = "initial";
    bytes32 internal constant POLICY_MAINTENANCE = "maintenance";
    bytes32 internal constant POLICY_WITHDRAW = "withdraw";

    /// @notice The action has no rule: it is not one of the table.
    error ActionUnknown(ActionKind kind);

    /// @notice The action's flows are of another kind than the caller of this code assumes.
    error FlowRuleWrong(FlowRule rule);

    /// @notice The row of the table for `kind`.
    function ruleOf(ActionKind kind) internal pure returns (Rule memory) {
        // action                                policy                                      flows             sides  signed epoch  writes provenAt          paused frozen
        if (kind == ActionKind.DEPOSIT)
            return Rule(PolicySource.NO_POLICY, POLICY_NONE,        FlowRule.IN,      false, true,  false, true,  ProvenRule.KEEP,  true,  false);
        if (kind == ActionKind.TRADE)
            return Rule(PolicySource.NAMED,     POLICY_INITIAL,     FlowRule.FEE,     true,  true,  true,  true,  ProvenRule.SET,   false, false);
        if (kind == ActionKind.WITHDRAW)
            return Rule(PolicySource.NAMED,     POLICY_WITHDRAW,    FlowRule.OUT,     false, true,  true,  true,  ProvenRule.SET,   false, false);
        if (kind == ActionKind.CURE)
            return Rule(PolicySource.NAMED,     POLICY_MAINTENANCE, FlowRule.IN,      false, true,  true,  true,  ProvenRule.SET,   true,  true);
        if (kind == ActionKind.ATTEST)
            return Rule(PolicySource.CHOSEN,    POLICY_MAINTENANCE, FlowRule.NOTHING, false, false, true,  false, ProvenRule.RAISE, false, true);
        if (kind == ActionKind.WITHDRAW_FLAT || kind == ActionKind.CLOSE)
            return Rule(PolicySource.FLAT,      POLICY_FLAT,        FlowRule.OUT,     false, true,  false, true,  ProvenRule.KEEP,  true,  true);
        revert ActionUnknown(kind);
    }
}
