pragma circom 2.1.6;

include "circomlib/circuits/bitify.circom";

// Proves: -2^bits <= in < 2^bits, for a signed integer that entered the field as v mod p.
//   in + 2^bits is written in bits + 1 bits. bits + 1 is far below 253, so the bits are unique; the highest is the
//   sign.
template SignedRange(bits) {
    assert(bits < 250);
    signal input in;                 // signed
    signal output isNonNegative;     // 1 if in >= 0, else 0

    component shifted = Num2Bits(bits + 1);
    shifted.in <== in + (1 << bits);
    isNonNegative <== shifted.out[bits];
}

// Proves: 0 <= in[i] < 2^bits for each i.
template UnsignedRange(n, bits) {
    assert(bits < 250);
    signal input in[n];

    component number[n];
    for (var i = 0; i < n; i++) {
        number[i] = Num2Bits(bits);
        number[i].in <== in[i];
    }
}
