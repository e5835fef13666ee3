pragma circom 2.1.6;

include "generated/constants.circom";
include "range.circom";

// Proves: 0 <= e < 2^60, and gives the two ways in which e counts, both through its price u:
//   u_s e_s in its own row, and X = sum_s w_s u_s e_s.  A row whose e has no price is a hard row.
template Excess(X) {
    signal input soft[X];            // u, 0 or 1 by the publishers
    signal input weight[X];          // w, below 2^10 by the publishers
    signal input excess[X];          // e, micro-dollars
    signal output counted[X];        // u e
    signal output total;             // X

    component range = UnsignedRange(X, EXCESS_BITS());
    range.in <== excess;

    signal weighted[X];
    var sum = 0;
    for (var s = 0; s < X; s++) {
        counted[s] <== soft[s] * excess[s];
        weighted[s] <== weight[s] * counted[s];
        sum += weighted[s];
    }
    total <== sum;
}

// Proves: every row of the policy holds for the new state,   W_s . z + b_s + u_s e_s = slack_s,
//   0 <= slack_s < 2^slackBits.
//   Three rows share a public number, in lanes of laneBits. Excess rows are the first X rows; they may end inside a
//   packed row.
//
// L1, packing: let |a_k| < 2^83 and 0 <= S_k < 2^83. If sum a_k 2^(84 k) = sum S_k 2^(84 k) mod p, then a_k = S_k.
//   Each side is at most (2^83 - 1)(1 + 2^84 + 2^168) < 2^251.01 in absolute value, the difference is below
//   2^252.01 < p: equality of integers. d_k = a_k - S_k has |d_k| < 2^84; 2^84 divides d_0, so d_0 = 0; divide by
//   2^84 and repeat. It takes slackBits < laneBits: with lanes of 83 and slacks of 84 bits, -5 passes as -5 + 2^83
//   (a test shows it).
// L2, |a_k| < 2^83: the bit budget, checked exactly per row by engine and signers; the assertion below is that the
//   bounds of all numbers together stay within it.
template PolicyRows(N, R, X, J, laneBits, slackBits) {
    assert(R % 3 == 0 && X <= R);
    var positions = N * (1 << (COEFFICIENT_BITS() + POSITION_BITS()));
    var charges = 2 * CHARGE_COEFFICIENT_MAX() * (1 << CHARGE_BITS());
    var excesses = X * (1 << (WEIGHT_BITS() + EXCESS_BITS())) + (1 << EXCESS_BITS());
    var helpers = J * (1 << (HELPER_COEFFICIENT_BITS() + HELPER_BITS()));
    var others = (1 << CASH_BITS()) + (1 << CONSTANT_BITS());
    assert(positions + charges + excesses + helpers + others < 1 << slackBits);    // L2
    var P = R \ 3;
    signal input rowPosition[P][N];  // W on positions, below 2^39 a lane
    signal input rowCash[P];         // W on cash, 0 or 1 a lane
    signal input rowCharge[P][2];    // W on K_1, K_2
    signal input rowExcess[P];       // W on X, 0 or -1 a lane
    signal input rowHelper[P][J];    // W on helpers, below 2^14 a lane
    signal input rowConstant[P];     // b, below 2^80 a lane
    signal input position[N];        // q', lots, 30 bits
    signal input cash;               // cash', micro-dollars, 80 bits
    signal input charge[2];          // K, 76 bits
    signal input excessCounted[X];   // u e, 60 bits
    signal input excessTotal;        // X
    signal input helper[J];          // x, 60 bits
    signal input slack[R];

    component range = UnsignedRange(R, slackBits);
    range.in <== slack;

    signal positionTerm[P][N];
    signal cashTerm[P];
    signal chargeTerm[P][2];
    signal excessTerm[P];
    signal helperTerm[P][J];
    for (var p = 0; p < P; p++) {
        var sum = rowConstant[p];
        for (var i = 0; i < N; i++) {
            positionTerm[p][i] <== rowPosition[p][i] * position[i];
            sum += positionTerm[p][i];
        }
        cashTerm[p] <== rowCash[p] * cash;
        excessTerm[p] <== rowExcess[p] * excessTotal;
        sum += cashTerm[p] + excessTerm[p];
        for (var k = 0; k < 2; k++) {
            chargeTerm[p][k] <== rowCharge[p][k] * charge[k];
            sum += chargeTerm[p][k];
        }
        for (var j = 0; j < J; j++) {
            helperTerm[p][j] <== rowHelper[p][j] * helper[j];
            sum += helperTerm[p][j];
        }
        var packedSlack = 0;
        for (var l = 0; l < 3; l++) {
            if (3 * p + l < X) {
                sum += excessCounted[3 * p + l] * (1 << (laneBits * l));
            }
            packedSlack += slack[3 * p + l] * (1 << (laneBits * l));
        }
        sum === packedSlack;
    }
}
