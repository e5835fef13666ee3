pragma circom 2.1.6;

include "generated/constants.circom";
include "range.circom";

// Proves: how positions move.   r = q + legs + flow, -2^30 <= r < 2^30;   q' = r - drop r.
//
// L3, single opening: the range check of r covers old and new at once. q was in [-2^30, 2^30) when it was committed.
//   Any opening used now is r - legs - flow with |legs| <= 4 * 2^28 and |flow| <= 2^30 (the contract), so it
//   differs from q by less than 2^31 + 2^31 = 2^32: two openings of a word agree lane by lane, since seven 32-bit
//   lanes stay below p.
//   The check is on r, never on q': a dropped r would be unbounded, and a word would open also as
//   (q_0 + 2^32 m, q_1 - m).
template Movement(N) {
    // L3: two openings differ by less than a lane, and lanes do not wrap.
    var moved = 2 * (1 << POSITION_BITS()) + LEGS() * (1 << LEG_BITS()) + (1 << FLOW_BITS());
    assert(moved <= 1 << POSITION_LANE_BITS());
    assert(POSITIONS_PER_WORD() * POSITION_LANE_BITS() <= 252);

    signal input position[N];        // r, lots, signed
    signal input legs[N];            // lots received by the trade, signed, |legs| <= 2^30
    signal input flow[N];            // lots received from the vault, signed, |flow| <= 2^30 by the contract
    signal input drop[N];            // 1 where the settlement turns the slot into cash, else 0; by the publishers
    signal output before[N];         // q, as committed
    signal output after[N];          // q'
    signal output isLong[N];         // 1 if r >= 0, else 0; where q' is not 0 it has the sign of r

    component range[N];
    signal dropped[N];
    for (var i = 0; i < N; i++) {
        before[i] <== position[i] - legs[i] - flow[i];
        range[i] = SignedRange(POSITION_BITS());
        range[i].in <== position[i];
        isLong[i] <== range[i].isNonNegative;
        dropped[i] <== drop[i] * position[i];
        after[i] <== position[i] - dropped[i];
    }
}

// Proves: how cash moves.   cash' = cash + side tradeCash + cashFlow + sum_i payoff_i r_i, -2^80 <= cash' < 2^80.
//   Before the check |cash'| < 2^80 + 2^63 + 2^80 + N 2^66 < 2^82: nothing wraps.
template CashMovement(N) {
    signal input cash;               // micro-dollars, signed, in [-2^80, 2^80) when it was committed
    signal input side;
    signal input tradeCash;          // signed, 63 bits by TradeWord
    signal input cashFlow;           // signed, |cashFlow| < 2^80 by the contract
    signal input payoff[N];          // micro-dollars per lot, below 2^36 by the publishers
    signal input position[N];        // r, lots
    signal output after;             // cash'

    signal traded <== side * tradeCash;
    signal paid[N];
    var sum = cash + traded + cashFlow;
    for (var i = 0; i < N; i++) {
        paid[i] <== payoff[i] * position[i];
        sum += paid[i];
    }
    after <== sum;

    component range = SignedRange(CASH_BITS());
    range.in <== after;
}
