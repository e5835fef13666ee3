pragma circom 2.1.6;

include "escrow.circom";
include "evaluation.circom";
include "hash_chain.circom";
include "state.circom";

// Proves: the same state stands under a new key and the next nonce, the committee can read the new key, and the
//   published checkpoint is the state encrypted under it: whoever has the new key needs nothing from before.
template Rekey(N) {
    var words = (N + POSITIONS_PER_WORD() - 1) \ POSITIONS_PER_WORD();

    ////// PUBLIC  //////  in the order of prover/statement/statement.json
    signal input commitmentOld;      // C
    signal input commitmentNew;      // C'
    signal input ephemeralX;         // r Base8
    signal input ephemeralY;
    signal input escrowedKey;
    signal input committeeX;         // the committee's key, in the prime subgroup and not the identity: contract
    signal input committeeY;
    signal input rho;                // 248 bits of the EIP-712 digest of the rekey, checkpoint included
    signal input evaluation;         // of the checkpoint, at rho; contract

    ////// PRIVATE //////
    signal input keyOld;             // field element; by step 1
    signal input keyNew;             // field element; by step 1
    signal input nonce;              // by step 1
    signal input cash;               // micro-dollars, signed; by step 1
    signal input word[words];        // of positions; by step 1
    signal input ephemeralScalar;    // r, below the subgroup's order by step 2

    // 1. Both commitments are of one state digest, the new one under the new key and the next nonce.
    component chain = HashChain(2 + words);
    chain.in[0] <== TAG_STATE();
    chain.in[1] <== cash;
    for (var j = 0; j < words; j++) {
        chain.in[2 + j] <== word[j];
    }
    component old = Commitment();
    old.key <== keyOld;
    old.nonce <== nonce;
    old.digest <== chain.out;
    commitmentOld === old.commitment;

    component next = Commitment();
    next.key <== keyNew;
    next.nonce <== nonce + 1;
    next.digest <== chain.out;
    commitmentNew === next.commitment;

    // 2. The new key is escrowed.
    component escrow = KeyEscrow();
    escrow.key <== keyNew;
    escrow.ephemeralScalar <== ephemeralScalar;
    escrow.committee[0] <== committeeX;
    escrow.committee[1] <== committeeY;
    ephemeralX === escrow.ephemeral[0];
    ephemeralY === escrow.ephemeral[1];
    escrowedKey === escrow.escrowedKey;

    // 3. The checkpoint: number i of (cash, words) plus Poseidon(TAG_CHECKPOINT, keyNew, nonce + 1 + 2^64 i). An
    //    owner's nonces stay below 2^64, so no pad recurs, not even when a key is taken again.
    component pad[1 + words];
    component published = Evaluation(1 + words);
    published.rho <== rho;
    for (var i = 0; i < 1 + words; i++) {
        pad[i] = Poseidon(3);
        pad[i].inputs[0] <== TAG_CHECKPOINT();
        pad[i].inputs[1] <== keyNew;
        pad[i].inputs[2] <== nonce + 1 + (i << 64);
        published.in[i] <== (i == 0 ? cash : word[i - 1]) + pad[i].out;
    }
    evaluation === published.out;
}
