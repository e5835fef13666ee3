pragma circom 2.1.6;

include "escrow.circom";
include "state.circom";

// Proves: a new account is empty, and the committee can read its key.
template Open(N) {
    ////// PUBLIC  //////  in the order of prover/statement/statement.json
    signal input commitment;         // C_0
    signal input ephemeralX;         // rho Base8
    signal input ephemeralY;
    signal input escrowedKey;
    signal input committeeX;         // the committee's key, in the prime subgroup and not the identity: contract
    signal input committeeY;
    signal input context;            // 248 bits of the opening's EIP-712 digest

    ////// PRIVATE //////
    signal input key;                // field element; by step 1
    signal input ephemeralScalar;    // rho, below the subgroup's order by step 2

    // 1. The commitment opens to no cash and no positions, under key and nonce 0.
    component digest = StateDigest(N);
    digest.cash <== 0;
    for (var i = 0; i < N; i++) {
        digest.position[i] <== 0;
    }
    component first = Commitment();
    first.key <== key;
    first.nonce <== 0;
    first.digest <== digest.digest;
    commitment === first.commitment;

    // 2. The same key is escrowed.
    component escrow = KeyEscrow();
    escrow.key <== key;
    escrow.ephemeralScalar <== ephemeralScalar;
    escrow.committee[0] <== committeeX;
    escrow.committee[1] <== committeeY;
    ephemeralX === escrow.ephemeral[0];
    ephemeralY === escrow.ephemeral[1];
    escrowedKey === escrow.escrowedKey;

    // 3. context enters a constraint.
    signal contextSquare <== context * context;
}
