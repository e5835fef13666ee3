pragma circom 2.1.6;

include "../../../prover/circuits/movement.circom";
include "../../../prover/circuits/state.circom";

// Wrong on purpose: as settlement.circom, but only q', what is left after the drop, is range-checked.
template LateSettlement(N) {
    signal input word;
    signal input position[N];
    signal input drop[N];
    signal input payoff[N];
    signal output after[N];
    signal output paid;

    component range[N];
    component committed = PositionWords(N);
    component money = CashMovement(N);
    money.cash <== 0;
    money.side <== 0;
    money.tradeCash <== 0;
    money.cashFlow <== 0;
    for (var i = 0; i < N; i++) {
        after[i] <== position[i] - drop[i] * position[i];
        range[i] = SignedRange(POSITION_BITS());
        range[i].in <== after[i];
    }
    money.position <== position;
    money.payoff <== payoff;
    committed.position <== position;
    committed.word[0] === word;
    paid <== money.after;
}

component main {public [word, drop, payoff]} = LateSettlement(2);
