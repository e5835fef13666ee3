pragma circom 2.1.6;

// Computes: y = sum_i in[i] rho^i, by Horner.
//   What it is for: n published numbers as two public inputs. rho is a hash of the published numbers and of the
//   commitment that fixes `in`. If the two lists differ, y agrees for at most n - 1 of 2^248 values of rho; L9 in
//   docs/protocol.md.
template Evaluation(n) {
    signal input in[n];
    signal input rho;
    signal output out;

    signal sum[n];
    sum[n - 1] <== in[n - 1];
    for (var i = n - 2; i >= 0; i--) {
        sum[i] <== sum[i + 1] * rho + in[i];
    }
    out <== sum[0];
}
