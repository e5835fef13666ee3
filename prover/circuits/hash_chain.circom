pragma circom 2.1.6;

include "circomlib/circuits/poseidon.circom";

// Proves: out = H(in), the chain Poseidon(first 16 or fewer), then Poseidon(accumulator, next 15 or fewer), while
//   inputs remain.
//   n is fixed by the template, so no two lengths share a chain; in[0] is the caller's domain tag.
template HashChain(n) {
    signal input in[n];
    signal output out;

    var links = n <= 16 ? 1 : 1 + (n - 16 + 14) \ 15;
    component link[links];
    var taken = 0;
    for (var l = 0; l < links; l++) {
        var carried = l == 0 ? 0 : 1;
        var fresh = n - taken < 16 - carried ? n - taken : 16 - carried;
        link[l] = Poseidon(carried + fresh);
        if (l > 0) {
            link[l].inputs[0] <== link[l - 1].out;
        }
        for (var k = 0; k < fresh; k++) {
            link[l].inputs[carried + k] <== in[taken + k];
        }
        taken += fresh;
    }
    out <== link[links - 1].out;
}
