pragma circom 2.1.6;

include "evaluation.circom";
include "hash_chain.circom";
include "state.circom";

// Proves: the published cash and words of positions are what a commitment holds. Its key and nonce stay hidden.
template Reveal(N) {
    var words = (N + POSITIONS_PER_WORD() - 1) \ POSITIONS_PER_WORD();

    ////// PUBLIC  //////  in the order of prover/statement/statement.json
    signal input commitment;         // C
    signal input rho;                // 248 bits of a digest of C and of all that is published; contract
    signal input evaluation;         // of what is published, at rho; contract, which bounds each number

    ////// PRIVATE //////
    signal input key;                // field element; by step 1
    signal input nonce;              // by step 1
    signal input cash;               // micro-dollars, signed; by step 1
    signal input word[words];        // of positions; by step 1

    // 1. The commitment opens to cash and words. Collision resistance of the hash makes them the committed ones.
    component chain = HashChain(2 + words);
    chain.in[0] <== TAG_STATE();
    chain.in[1] <== cash;
    for (var j = 0; j < words; j++) {
        chain.in[2 + j] <== word[j];
    }
    component opened = Commitment();
    opened.key <== key;
    opened.nonce <== nonce;
    opened.digest <== chain.out;
    commitment === opened.commitment;

    // 2. They are the published ones.
    component published = Evaluation(1 + words);
    published.rho <== rho;
    published.in[0] <== cash;
    for (var j = 0; j < words; j++) {
        published.in[1 + j] <== word[j];
    }
    evaluation === published.out;
}
