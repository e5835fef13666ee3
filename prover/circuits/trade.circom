pragma circom 2.1.6;

include "circomlib/circuits/bitify.circom";
include "circomlib/circuits/poseidon.circom";
include "generated/constants.circom";
include "range.circom";

// Proves: side is -1, 0 or 1.   side^3 = side has exactly these roots.
template Side() {
    signal input side;
    signal output square;            // 1 if there is a trade, else 0

    square <== side * side;
    square * side === side;
}

// Proves: out is `lots` in slot `slot` and 0 elsewhere; a slot that is not in [0, N) has no witness.
//   pick_i (slot - i) = 0 leaves only pick_slot free, and sum pick = 1 makes it 1: so each pick is a bit.
template OneSlot(N) {
    signal input slot;
    signal input lots;
    signal output out[N];

    signal pick[N];
    var picks = 0;
    for (var i = 0; i < N; i++) {
        pick[i] <-- slot == i ? 1 : 0;
        pick[i] * (slot - i) === 0;
        picks += pick[i];
        out[i] <== pick[i] * lots;
    }
    picks === 1;
}

// Packs: the trade word, sum_k (slot_k + (lots_k + 2^28) 2^8) 2^(37 k) + (tradeCash + 2^63) 2^148; 212 bits.
//   Every part is range-checked to its lane here, so a word has one reading.
template TradeWord() {
    var legs = LEGS();
    var legBits = LEG_SLOT_BITS() + LEG_BITS() + 1;
    signal input legSlot[legs];      // 8 bits; below N by OneSlot
    signal input legLots[legs];      // lots that side +1 receives, signed, 28 bits
    signal input tradeCash;          // micro-dollars that side +1 receives, signed, 63 bits
    signal output word;

    component slotRange = UnsignedRange(legs, LEG_SLOT_BITS());
    slotRange.in <== legSlot;

    component lotsRange[legs];
    var sum = 0;
    for (var k = 0; k < legs; k++) {
        lotsRange[k] = SignedRange(LEG_BITS());
        lotsRange[k].in <== legLots[k];
        sum += (legSlot[k] + (legLots[k] + (1 << LEG_BITS())) * (1 << LEG_SLOT_BITS())) * (1 << (legBits * k));
    }

    component cashRange = SignedRange(TRADE_CASH_BITS());
    cashRange.in <== tradeCash;
    word <== sum + (tradeCash + (1 << TRADE_CASH_BITS())) * (1 << (legBits * legs));
}

// What this account receives: side * lots, slot by slot. Legs that name one slot add up.
template SidedLegs(N) {
    var legs = LEGS();
    signal input side;               // -1, 0, 1 by Side
    signal input legSlot[legs];
    signal input legLots[legs];      // signed, 28 bits by TradeWord
    signal output lots[N];           // signed, |lots_i| <= 4 * 2^28

    signal sided[legs];
    component leg[legs];
    for (var k = 0; k < legs; k++) {
        sided[k] <== side * legLots[k];
        leg[k] = OneSlot(N);
        leg[k].slot <== legSlot[k];
        leg[k].lots <== sided[k];
    }
    for (var i = 0; i < N; i++) {
        var sum = 0;
        for (var k = 0; k < legs; k++) {
            sum += leg[k].out[i];
        }
        lots[i] <== sum;
    }
}

// T = side^2 Poseidon(TAG_TRADE, word, salt): the same for both sides of a trade, 0 without one.
template TradeTag() {
    signal input sideSquare;
    signal input word;
    signal input salt;               // field element agreed by both sides; hides the word
    signal output tag;

    component hash = Poseidon(3);
    hash.inputs[0] <== TAG_TRADE();
    hash.inputs[1] <== word;
    hash.inputs[2] <== salt;
    tag <== sideSquare * hash.out;
}

// ciphertext = side^2 (word + Poseidon(TAG_PAD, key, nonce, T)): who holds the key rebuilds the account from the chain.
//   (key, nonce, T) fixes the word, so no pad covers two words (L6).
template Ciphertext() {
    signal input sideSquare;
    signal input word;
    signal input key;
    signal input nonce;              // of the commitment that is spent
    signal input tag;                // T
    signal output ciphertext;

    component pad = Poseidon(4);
    pad.inputs[0] <== TAG_PAD();
    pad.inputs[1] <== key;
    pad.inputs[2] <== nonce;
    pad.inputs[3] <== tag;
    ciphertext <== sideSquare * (word + pad.out);
}
