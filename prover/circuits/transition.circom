pragma circom 2.1.6;

include "generated/constants.circom";
include "charges.circom";
include "movement.circom";
include "policy.circom";
include "range.circom";
include "state.circom";
include "trade.circom";

// Proves: a hidden account moves from one commitment to the next, and its new state meets the policy.
//   One statement for every action; docs/protocol.md, "The statement", has it in words. What the contract and the
//   publishers bound is said on each line: the circuit relies on it.
// N slots, R rows in threes, the first X of them excess rows, J helpers: the presets of engine/presets.json.
template Transition(N, R, X, J) {
    assert(N <= 1 << LEG_SLOT_BITS());
    assert(SLACK_BITS() < LANE_BITS() && 3 * LANE_BITS() <= 252);    // L1
    var P = R \ 3;

    ////// PUBLIC  //////  in the order of prover/statement/statement.json
    signal input commitmentOld;      // C
    signal input commitmentNew;      // C', or 0 if nothing is written
    signal input tradeTag;           // T
    signal input ciphertext;
    signal input side;               // -1, 0, 1; set by the contract, by action
    signal input write;              // 0, 1; set by the contract, by action
    signal input context;            // 248 bits of the action's EIP-712 digest
    signal input cashFlow;           // micro-dollars, signed, |.| < 2^80; contract
    signal input flow[N];            // lots, signed, |.| <= 2^30; contract
    signal input drop[N];            // 0, 1; publishers
    signal input payoff[N];          // micro-dollars per lot, below 2^36; publishers
    signal input rowPosition[P][N];  // policy: bounds in PolicyRows, by engine and signers
    signal input rowCash[P];
    signal input rowCharge[P][2];
    signal input rowExcess[P];
    signal input rowHelper[P][J];
    signal input rowConstant[P];
    signal input soft[X];            // u, 0 or 1
    signal input weight[X];          // w, below 2^10
    signal input rateLong[N];        // two rates, below 2^36 each
    signal input rateShort[N];

    ////// PRIVATE //////
    signal input position[N];        // r, lots, signed: after trade and flow, before drop; 30 bits by step 3
    signal input cash;               // old cash, micro-dollars, signed; by step 1
    signal input key;                // field element; by step 1
    signal input nonce;              // by step 1
    signal input legSlot[LEGS()];    // below N by step 2
    signal input legLots[LEGS()];    // signed, 28 bits by step 2
    signal input tradeCash;          // signed, 63 bits by step 2
    signal input salt;               // by step 2
    signal input excess[X];          // e, 60 bits by step 6
    signal input helper[J];          // x, 60 bits by step 5
    signal input charge[2];          // K, 76 bits by step 5
    signal input slack[R];           // 83 bits by step 6

    // 1. write is a bit. The commitments themselves follow below, where their states are known.
    write * (write - 1) === 0;

    // 2. The trade: its word, its tag, and what this side receives.
    component sides = Side();
    sides.side <== side;

    component word = TradeWord();
    word.legSlot <== legSlot;
    word.legLots <== legLots;
    word.tradeCash <== tradeCash;

    component tag = TradeTag();
    tag.sideSquare <== sides.square;
    tag.word <== word.word;
    tag.salt <== salt;
    tradeTag === tag.tag;

    component legs = SidedLegs(N);
    legs.side <== side;
    legs.legSlot <== legSlot;
    legs.legLots <== legLots;

    // 3. Positions, range-checked once for old and new.
    component movement = Movement(N);
    movement.position <== position;
    movement.legs <== legs.lots;
    movement.flow <== flow;
    movement.drop <== drop;

    // 1., continued: commitmentOld opens to what was held before.
    component digestOld = StateDigest(N);
    digestOld.position <== movement.before;
    digestOld.cash <== cash;
    component old = Commitment();
    old.key <== key;
    old.nonce <== nonce;
    old.digest <== digestOld.digest;
    commitmentOld === old.commitment;

    // 4. Cash, and the new state under the next nonce.
    component money = CashMovement(N);
    money.cash <== cash;
    money.side <== side;
    money.tradeCash <== tradeCash;
    money.cashFlow <== cashFlow;
    money.payoff <== payoff;
    money.position <== position;

    component digestNew = StateDigest(N);
    digestNew.position <== movement.after;
    digestNew.cash <== money.after;
    component next = Commitment();
    next.key <== key;
    next.nonce <== nonce + 1;
    next.digest <== digestNew.digest;
    commitmentNew === write * next.commitment;

    // 5. Charges and helpers.
    component charges = Charges(N);
    charges.rateLong <== rateLong;
    charges.rateShort <== rateShort;
    charges.after <== movement.after;
    charges.isLong <== movement.isLong;
    charges.charge <== charge;

    component helperRange = UnsignedRange(J, HELPER_BITS());
    helperRange.in <== helper;

    // 6. Every row, for the new state.
    component excesses = Excess(X);
    excesses.soft <== soft;
    excesses.weight <== weight;
    excesses.excess <== excess;

    component rows = PolicyRows(N, R, X, J, LANE_BITS(), SLACK_BITS());
    rows.rowPosition <== rowPosition;
    rows.rowCash <== rowCash;
    rows.rowCharge <== rowCharge;
    rows.rowExcess <== rowExcess;
    rows.rowHelper <== rowHelper;
    rows.rowConstant <== rowConstant;
    rows.position <== movement.after;
    rows.cash <== money.after;
    rows.charge <== charge;
    rows.excessCounted <== excesses.counted;
    rows.excessTotal <== excesses.total;
    rows.helper <== helper;
    rows.slack <== slack;

    // 7. The trade word, readable by who holds the key.
    component hidden = Ciphertext();
    hidden.sideSquare <== sides.square;
    hidden.word <== word.word;
    hidden.key <== key;
    hidden.nonce <== nonce;
    hidden.tag <== tradeTag;
    ciphertext === hidden.ciphertext;

    // 8. context enters a constraint: a public input that no constraint mentions could be exchanged in a finished
    // proof.
    signal contextSquare <== context * context;
}
