pragma circom 2.1.6;

include "../../prover/circuits/hash_chain.circom";
include "../../prover/circuits/transition.circom";

// The statement `transition` of a proof system whose verifier cannot add up thousands of public inputs: what the
// publishers sign (settlement and policy, all that is the same for every account) enters as one hash of it. It is
// compiled by `zkmargin bench backends` alone, to count what that hash costs; nothing else uses it.
template HashedTransition(N, R, X, J) {
    var P = R \ 3;
    var SIGNED = 1 + 2 * N + P * (N + 1 + 2 + 1 + J + 1) + 2 * X + 2 * N;

    ////// PUBLIC  //////  as in transition.circom, and
    signal input commitmentOld;
    signal input commitmentNew;
    signal input tradeTag;
    signal input ciphertext;
    signal input side;
    signal input write;
    signal input context;
    signal input cashFlow;
    signal input flow[N];
    signal output signedHash;        // of what follows, in the statement's order

    ////// PRIVATE //////  public in transition.circom
    signal input drop[N];
    signal input payoff[N];
    signal input rowPosition[P][N];
    signal input rowCash[P];
    signal input rowCharge[P][2];
    signal input rowExcess[P];
    signal input rowHelper[P][J];
    signal input rowConstant[P];
    signal input soft[X];
    signal input weight[X];
    signal input rateLong[N];
    signal input rateShort[N];
    // private there too
    signal input position[N];
    signal input cash;
    signal input key;
    signal input nonce;
    signal input legSlot[LEGS()];
    signal input legLots[LEGS()];
    signal input tradeCash;
    signal input salt;
    signal input excess[X];
    signal input helper[J];
    signal input charge[2];
    signal input slack[R];

    // 1. The statement.
    component transition = Transition(N, R, X, J);
    transition.commitmentOld <== commitmentOld;
    transition.commitmentNew <== commitmentNew;
    transition.tradeTag <== tradeTag;
    transition.ciphertext <== ciphertext;
    transition.side <== side;
    transition.write <== write;
    transition.context <== context;
    transition.cashFlow <== cashFlow;
    transition.flow <== flow;
    transition.drop <== drop;
    transition.payoff <== payoff;
    transition.rowPosition <== rowPosition;
    transition.rowCash <== rowCash;
    transition.rowCharge <== rowCharge;
    transition.rowExcess <== rowExcess;
    transition.rowHelper <== rowHelper;
    transition.rowConstant <== rowConstant;
    transition.soft <== soft;
    transition.weight <== weight;
    transition.rateLong <== rateLong;
    transition.rateShort <== rateShort;
    transition.position <== position;
    transition.cash <== cash;
    transition.key <== key;
    transition.nonce <== nonce;
    transition.legSlot <== legSlot;
    transition.legLots <== legLots;
    transition.tradeCash <== tradeCash;
    transition.salt <== salt;
    transition.excess <== excess;
    transition.helper <== helper;
    transition.charge <== charge;
    transition.slack <== slack;

    // 2. The hash of what is signed.
    component chain = HashChain(SIGNED);
    chain.in[0] <== 1;    // a domain tag of its own would stand here
    var at = 1;
    for (var i = 0; i < N; i++) {
        chain.in[at + i] <== drop[i];
        chain.in[at + N + i] <== payoff[i];
    }
    at += 2 * N;
    for (var p = 0; p < P; p++) {
        for (var i = 0; i < N; i++) {
            chain.in[at + i] <== rowPosition[p][i];
        }
        at += N;
        chain.in[at] <== rowCash[p];
        chain.in[at + 1] <== rowCharge[p][0];
        chain.in[at + 2] <== rowCharge[p][1];
        chain.in[at + 3] <== rowExcess[p];
        chain.in[at + 4] <== rowConstant[p];
        at += 5;
        for (var j = 0; j < J; j++) {
            chain.in[at + j] <== rowHelper[p][j];
        }
        at += J;
    }
    for (var x = 0; x < X; x++) {
        chain.in[at + x] <== soft[x];
        chain.in[at + X + x] <== weight[x];
    }
    at += 2 * X;
    for (var i = 0; i < N; i++) {
        chain.in[at + i] <== rateLong[i];
        chain.in[at + N + i] <== rateShort[i];
    }
    signedHash <== chain.out;
}

component main
    {public [commitmentOld, commitmentNew, tradeTag, ciphertext, side, write, context, cashFlow, flow]}
    = HashedTransition(16, 72, 12, 12);
