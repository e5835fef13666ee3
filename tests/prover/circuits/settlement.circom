pragma circom 2.1.6;

include "../../../prover/circuits/movement.circom";
include "../../../prover/circuits/state.circom";

// The committed words and the cash of two slots around a Movement.
template Settlement(N) {
    signal input word;               // as committed
    signal input position[N];
    signal input drop[N];
    signal input payoff[N];
    signal output after[N];
    signal output paid;

    component movement = Movement(N);
    component committed = PositionWords(N);
    component money = CashMovement(N);
    money.cash <== 0;
    money.side <== 0;
    money.tradeCash <== 0;
    money.cashFlow <== 0;
    for (var i = 0; i < N; i++) {
        movement.legs[i] <== 0;
        movement.flow[i] <== 0;
    }
    movement.position <== position;
    movement.drop <== drop;
    money.position <== position;
    money.payoff <== payoff;
    committed.position <== movement.before;
    committed.word[0] === word;
    after <== movement.after;
    paid <== money.after;
}

component main {public [word, drop, payoff]} = Settlement(2);
