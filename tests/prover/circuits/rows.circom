pragma circom 2.1.6;

include "../../../prover/circuits/policy.circom";

// Two packed rows, the first four of six being excess rows, so that they end inside the second packed row.
component main = PolicyRows(2, 6, 4, 1, LANE_BITS(), SLACK_BITS());
