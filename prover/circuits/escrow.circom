pragma circom 2.1.6;

include "circomlib/circuits/babyjub.circom";
include "circomlib/circuits/bitify.circom";
include "circomlib/circuits/compconstant.circom";
include "circomlib/circuits/escalarmulany.circom";
include "circomlib/circuits/escalarmulfix.circom";
include "circomlib/circuits/poseidon.circom";
include "generated/constants.circom";

// Proves: the bits are those of a scalar below l, the order of BabyJubJub's prime subgroup (251 bits; EIP-2494).
template SubgroupScalar() {
    var l = 2736030358979909402780800718157159386076813972158567259200215660948447373041;
    signal input scalar;
    signal output bits[251];

    component number = Num2Bits(251);
    number.in <== scalar;
    bits <== number.out;

    component above = CompConstant(l - 1);
    for (var i = 0; i < 254; i++) {
        if (i < 251) {
            above.in[i] <== number.out[i];
        } else {
            above.in[i] <== 0;
        }
    }
    above.out === 0;
}

// Proves: the key is encrypted to the committee, hashed ElGamal on BabyJubJub:
//   ephemeral = rho Base8,   shared = rho committee,   escrowedKey = key + Poseidon(TAG_ESCROW, shared.x, shared.y).
//
// What the contract must pin, once per committee key: committee lies in the subgroup of order l and is not
//   the identity.
//   The circuit checks the curve equation only. Edge cases of circomlib's EscalarMulAny, whose Montgomery addition is
//   incomplete:
//   - A committee of order l: partial sums inside its segments of 148 and 103 bits stay below 2^148 < l, so no
//     addition meets two equal or opposite points, each slope has one value, and `shared` is unique.
//   - x = 0, the points of order 1 and 2: EscalarMulAny returns the identity, and the pad would be a constant that
//     anyone knows. Points of order 4 and 8 reach a doubling of order 2, which has no witness.
//   - A component of small order would add rho mod 8 to what `shared` tells; it does not make `shared` ambiguous.
//   EscalarMulFix adds windows of at most 2^249 Base8 to a sum of at least 2^250 Base8. Both are never equal; they
//     are opposite for three scalars below l, which have no witness. rho = 0 would show the owner's own key: a prover
//     draws rho at random in [1, l).
template KeyEscrow() {
    signal input key;
    signal input ephemeralScalar;    // rho, below l
    signal input committee[2];
    signal output ephemeral[2];
    signal output escrowedKey;

    var BASE8[2] = [
        5299619240641551281634865583518297030282874472190772894086521144482721001553,
        16950150798460657717958625567821834550301663161624707787222815936182638968203
    ];

    component onCurve = BabyCheck();
    onCurve.x <== committee[0];
    onCurve.y <== committee[1];

    component rho = SubgroupScalar();
    rho.scalar <== ephemeralScalar;

    component point = EscalarMulFix(251, BASE8);
    point.e <== rho.bits;
    ephemeral <== point.out;

    component shared = EscalarMulAny(251);
    shared.e <== rho.bits;
    shared.p <== committee;

    component pad = Poseidon(3);
    pad.inputs[0] <== TAG_ESCROW();
    pad.inputs[1] <== shared.out[0];
    pad.inputs[2] <== shared.out[1];
    escrowedKey <== key + pad.out;
}
