pragma circom 2.1.6;

include "../../../prover/circuits/hash_chain.circom";

// A chain of two links, and the one of 39 inputs that `standard` uses.
template HashChains() {
    signal input in[39];
    signal output out[2];

    var lengths[2] = [17, 39];
    component chain[2];
    for (var c = 0; c < 2; c++) {
        chain[c] = HashChain(lengths[c]);
        for (var i = 0; i < lengths[c]; i++) {
            chain[c].in[i] <== in[i];
        }
        out[c] <== chain[c].out;
    }
}

component main = HashChains();
