pragma circom 2.1.6;

include "generated/constants.circom";
include "range.circom";

// Proves: K_1 + 2^84 K_2 = sum_i rateLong_i max(q'_i, 0) + rateShort_i max(-q'_i, 0), 0 <= K < 2^76.
//   A rate holds two, rate_1 + 2^84 rate_2, each in [0, 2^36). True sums are at most N 2^36 2^30 <= 2^74, each below
//   its lane, so the range checks of K leave one way to split the sum (L4).
template Charges(N) {
    // L4: the true sums are below a charge's range, a charge is below its lane, and both lanes do not wrap.
    assert(N * (1 << (CHARGE_RATE_BITS() + POSITION_BITS())) <= 1 << CHARGE_BITS());
    assert(CHARGE_BITS() <= LANE_BITS() && LANE_BITS() + CHARGE_BITS() <= 252);

    signal input rateLong[N];        // two rates, micro-dollars per lot held long
    signal input rateShort[N];       // two rates, micro-dollars per lot held short
    signal input after[N];           // q', lots, 30 bits by Movement
    signal input isLong[N];          // a bit; the sign of q' where q' is not 0
    signal input charge[2];          // K_1, K_2, micro-dollars

    component range = UnsignedRange(2, CHARGE_BITS());
    range.in <== charge;

    signal short[N];                 // max(-q', 0)
    signal longCharge[N];
    signal shortCharge[N];
    var sum = 0;
    for (var i = 0; i < N; i++) {
        short[i] <== (isLong[i] - 1) * after[i];
        longCharge[i] <== rateLong[i] * (after[i] + short[i]);
        shortCharge[i] <== rateShort[i] * short[i];
        sum += longCharge[i] + shortCharge[i];
    }
    sum === charge[0] + charge[1] * (1 << LANE_BITS());
}
