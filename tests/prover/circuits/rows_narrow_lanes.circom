pragma circom 2.1.6;

include "../../../prover/circuits/policy.circom";

// Wrong on purpose: lanes of 83 bits and slacks of 84. A test shows that a failing row passes here.
component main = PolicyRows(2, 6, 4, 1, 83, 84);
