pragma circom 2.1.6;

include "circomlib/circuits/poseidon.circom";
include "generated/constants.circom";
include "hash_chain.circom";

// Packs: seven positions to a field element, word_j = sum_k (position_(7j+k) + 2^30) 2^(32 k).
//   Injective only for positions of which the caller knows the range: see L3 in movement.circom.
template PositionWords(N) {
    var perWord = POSITIONS_PER_WORD();
    var words = (N + perWord - 1) \ perWord;
    signal input position[N];        // lots, signed; bounded by Movement
    signal output word[words];

    for (var j = 0; j < words; j++) {
        var sum = 0;
        for (var k = 0; k < perWord && perWord * j + k < N; k++) {
            sum += (position[perWord * j + k] + (1 << POSITION_BITS())) * (1 << (POSITION_LANE_BITS() * k));
        }
        word[j] <== sum;
    }
}

// D = H(TAG_STATE, cash, words of positions): the digest of what an account holds.
template StateDigest(N) {
    var words = (N + POSITIONS_PER_WORD() - 1) \ POSITIONS_PER_WORD();
    signal input position[N];        // lots, signed
    signal input cash;               // micro-dollars, signed; a field element of its own, so it has one opening
    signal output digest;

    component packed = PositionWords(N);
    packed.position <== position;

    component chain = HashChain(2 + words);
    chain.in[0] <== TAG_STATE();
    chain.in[1] <== cash;
    for (var j = 0; j < words; j++) {
        chain.in[2 + j] <== packed.word[j];
    }
    digest <== chain.out;
}

// C = Poseidon(TAG_COMMITMENT, key, nonce, D): hiding by key; nonce keeps C from recurring.
template Commitment() {
    signal input key;                // field element
    signal input nonce;              // count of written transitions
    signal input digest;             // D
    signal output commitment;

    component hash = Poseidon(4);
    hash.inputs[0] <== TAG_COMMITMENT();
    hash.inputs[1] <== key;
    hash.inputs[2] <== nonce;
    hash.inputs[3] <== digest;
    commitment <== hash.out;
}
