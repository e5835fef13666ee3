"""The TypeScript client: its digests and calldata are Python's, for every message and request; and it reads a venue."""

import json
import random
import re
import subprocess
import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest
from web3 import Web3

import zkmargin as zk
from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.errors import SetupFailed
from zkmargin.contracts.messages import EpochPoints, sort_points
from zkmargin.contracts.package import collect_abis
from zkmargin.contracts.requests import (
    ActionRequest,
    AttestBatch,
    AttestRow,
    BidRequest,
    MoveRequest,
    OpenRequest,
    PartSaleRequest,
    RekeyRequest,
    TradeBatch,
    TradeRequest,
    TradeRow,
    TradeSide,
    _Request,
    encode_proof,
)
from zkmargin.prover.messages.action_table import ACTION_RULES, ActionKind
from zkmargin.prover.messages.records import MESSAGES, Action
from zkmargin.prover.messages.typed_data import Domain, compute_context, compute_digest, load_table
from zkmargin.scripts.generate import typescript
from zkmargin.scripts.setup import set_up

DEPLOYMENT = {
    "chain_id": 31337, "clearing_house": "0x" + "11" * 20, "risk_oracle": "0x" + "22" * 20,
    "collateral_vault": "0x" + "33" * 20, "attestation_verifier": "0x" + "44" * 20, "cash": "0x" + "55" * 20,
    "first_block": 7,
}  # fmt: skip
DOMAIN = Domain(31337, DEPLOYMENT["clearing_house"], DEPLOYMENT["risk_oracle"])
PROOF = {"pi_a": ["1", "2", "1"], "pi_b": [["3", "4"], ["5", "6"], ["1", "0"]], "pi_c": ["7", "8", "1"]}
BOOK_PROOF = tuple(range(101, 109))
SIGNATURE = "0x" + "ab" * 65
POINTS = EpochPoints(9, sort_points({name: (10, 11) for name in ("initial", "maintenance", "withdraw")}))
EPOCH = POINTS.select("withdraw")
BATCHED = (ActionKind.ATTEST, ActionKind.TRADE)
SIGNED = sorted(load_table()["verifying_contract"])


@pytest.fixture(scope="module")
def client() -> Path:
    return typescript.build_client()


def ask(client, messages=(), calls=(), checks=()):
    asked = {"messages": list(messages), "calls": list(calls), "checks": list(checks)}
    return run_script(client, "answer", deployment=DEPLOYMENT, **asked)


def run_script(client, name, **asked):
    """What a script of the client's tests answers; fails with its errors."""
    command = ["node", str(client / f"test/{name}.mjs")]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def make_values(type_name, pick):
    """Values of a type's fields, each by `pick(low, high)` of its range."""
    return {field["name"]: _make_value(field["type"], pick) for field in load_table()["types"][type_name]}


def _make_value(kind, pick):
    if kind.endswith("[]"):
        return [_make_value(kind[:-2], pick) for _ in range(2)]
    if kind in load_table()["types"]:
        return make_values(kind, pick)
    if kind == "string":
        return "a purpose, é"
    if kind in ("bytes32", "address"):
        size = 32 if kind == "bytes32" else 20
        return "0x" + pick(0, (1 << 8 * size) - 1).to_bytes(size, "big").hex()
    bits = int(kind.lstrip("uint"))
    return str(pick(0, (1 << bits) - 1) if kind[0] == "u" else pick(-(1 << bits - 1), (1 << bits - 1) - 1))


def make_samples(name):
    """Records of a message: every field at its lowest, at its highest, and anywhere between."""
    generator = random.Random(name)
    for pick in (lambda low, high: low, lambda low, high: high, generator.randint):
        yield MESSAGES[name].parse(make_values(name, pick))


def make_action(kind, **changes):
    rule = ACTION_RULES[kind]
    values = {
        "kind": int(kind), "account": b"\1" * 32, "key_version": 1, "generation_old": 2, "generation_new": 3,
        "epoch": EPOCH.number if rule.needs_epoch else 0, "policy": b"withdraw".ljust(32, b"\0"),
        "commitment_old": 5, "commitment_new": 6, "cash_flow": rule.flow_sign * 70, "fee": 4, "deadline": 99,
        "ciphertext": 8, "flows": ({"slot": 8, "lots": -10},), "recipient": "0x" + "66" * 20,
    }  # fmt: skip
    return Action(**values | changes)


def make_call(function, make, message, *, others=(), epoch=None, more=(), rest=()):
    point = epoch and {
        "number": epoch.number, "x": str(epoch.x), "y": str(epoch.y), "path": ["0x" + item.hex() for item in epoch.path]
    }  # fmt: skip
    return {
        "function": function, "make": make, "message": message.to_json_dict(), "epoch": point, "proof": PROOF,
        "signature": SIGNATURE, "more": [str(item) for item in more], "rest": list(rest),
        "others": [item.to_json_dict() for item in others],
        "bookProof": "0x" + b"".join(word.to_bytes(32, "big") for word in BOOK_PROOF).hex(),
    }  # fmt: skip


@pytest.mark.property("P-300")
def test_digests_are_pythons_for_every_message(client):
    samples = [(name, sample) for name in SIGNED for sample in make_samples(name)]
    answers = ask(client, [{"name": name, "message": sample.to_json_dict()} for name, sample in samples])["messages"]
    expected = []
    for _, sample in samples:
        digest = compute_digest(DOMAIN, sample)
        expected.append({"digest": "0x" + digest.hex(), "context": str(compute_context(digest))})
    assert answers == expected
    assert len({answer["digest"] for answer in answers}) == len(samples) == 3 * len(SIGNED)


def make_batches(proof, signature):
    """A batch of two attestations, and one of two trades."""
    proved, traded = ([make_action(kind, account=bytes([n]) * 32) for n in (1, 2)] for kind in BATCHED)
    attested = [ActionRequest.from_action(action, proof, signature, POINTS) for action in proved]
    sides = [TradeSide.from_action(action, proof, signature) for action in traded]
    trades = [TradeRequest(tag, EPOCH, side, side) for tag, side in enumerate(sides)]
    return [
        (
            make_call(function, function, actions[0], others=actions[1:], epoch=EPOCH, more=(7, 8)),
            kind.from_requests(requests, 7, 8),
        )
        for function, actions, kind, requests in (
            ("attestBatch", proved, AttestBatch, attested),
            ("tradeBatch", traded, TradeBatch, trades),
        )
    ]


@pytest.mark.property("P-300")
def test_calldata_is_pythons_for_every_request(client):
    proof, signature = encode_proof(PROOF), bytes.fromhex(SIGNATURE[2:])
    house = Web3().eth.contract(abi=collect_abis(compile_contracts())["ClearingHouse"])
    names = ("Open", "Move", "Bid", "PartPurchase", "Rekey")
    opening, move, bid, part, rekey = (list(make_samples(name))[-1] for name in names)
    trade = make_action(ActionKind.TRADE)
    side = TradeSide.from_action(trade, proof, signature)
    entries = {kind: kind.name.lower() for kind in ACTION_RULES} | {ActionKind.WITHDRAW_FLAT: "withdrawFlat"}
    cases = [
        (
            make_call("open", "open", opening, more=(1, 2, 3)),
            OpenRequest.from_message(opening, (1, 2), 3, proof, signature),
        ),
        (make_call("move", "move", move), MoveRequest.from_message(move, proof, signature)),
        (
            make_call("bid", "bid", bid, epoch=EPOCH, more=(-5, 6, 7)),
            BidRequest.from_message(bid, (-5, 6, 7), EPOCH, proof, signature),
        ),
        (
            make_call("sellPart", "part", part, epoch=EPOCH, more=(-4, -5, 6, 7)),
            PartSaleRequest.from_message(
                part, (-5, 6, 7), -4, (signature, b"\x12"), EPOCH, (proof, BOOK_PROOF), signature
            ),
        ),
        (
            make_call("rekey", "rekey", rekey, more=(1, 2, 3)),
            RekeyRequest.from_message(rekey, (1, 2), 3, proof, signature),
        ),
        (make_call("trade", "trade", trade, epoch=EPOCH, more=(12,)), TradeRequest(12, EPOCH, side, side)),
        *make_batches(proof, signature),
    ]
    for kind, rule in ACTION_RULES.items():
        if not rule.has_sides:
            action, points = make_action(kind), POINTS if rule.needs_epoch else None
            rest = (4,) if kind is ActionKind.ROLL else ()
            call = make_call(entries[kind], "action", action, epoch=points and EPOCH, rest=rest)
            cases.append((call, ActionRequest.from_action(action, proof, signature, points)))
    assert {type(request) for _, request in cases} == set(_Request.__subclasses__()) - {TradeSide, AttestRow, TradeRow}
    answers = ask(client, calls=[call for call, _ in cases])["calls"]
    for answer, (call, request) in zip(answers, cases, strict=True):
        assert answer == house.encode_abi(call["function"], args=[request.to_abi(), *call["rest"]]), call["function"]


REFUSED_MESSAGES = [
    ({"slot": 1}, 'Action.slot is "given"; allowed: no field of this name'),
    ({"deadline": None}, "Action.deadline is null"),
    ({"deadline": 1 << 40}, "Action.deadline is 1099511627776; allowed: a whole number in [0, 1099511627776)"),
    ({"cashFlow": "1e3"}, 'Action.cashFlow is "1e3"'),
    ({"account": "0x12"}, 'Action.account is "0x12"; allowed: bytes32'),
    ({"recipient": "0x12"}, 'Action.recipient is "0x12"; allowed: address'),
    ({"flows": {}}, "Action.flows is an object; allowed: a list"),
    ({"flows": [{"slot": -1, "lots": 0}]}, "Action.flows[0].slot is -1"),
]
"""What is changed in a message that is right, and what is then said."""
REFUSED_CALLS = [
    (make_call("deposit", "action", make_action(ActionKind.TRADE)), "kind of the action is 3; allowed: 2 DEPOSIT"),
    (make_call("trade", "trade", make_action(ActionKind.CURE), epoch=EPOCH, more=(1,)), "allowed: 3 TRADE"),
    (make_call("cure", "action", make_action(ActionKind.CURE)), "number of the epoch is 0; allowed: 9, which"),
    (
        make_call("move", "move", next(iter(make_samples("Move")))) | {"proof": PROOF | {"pi_a": ["1", "2", "0"]}},
        "pi_a is an object; allowed: an affine point",
    ),
    *(
        (
            make_call("attestBatch", "attestBatch", make_action(ActionKind.ATTEST), epoch=EPOCH, more=(7, 8),
                      others=[make_action(ActionKind.ATTEST, **{name: value})]),
            f"{name} of a request in a batch is",
        )
        for name, value in (
            ("policy", b"initial".ljust(32, b"\0")), ("deadline", 98), ("submitter", "0x" + "77" * 20),
        )
    ),
]  # fmt: skip
"""A call that no entry point takes, and what is then said."""
AT_TWO_EPOCHS = [{"epoch": {"number": number, "x": 1, "y": 1, "path": []}} for number in (1, 2)]
REFUSED_CHECKS = [
    ("readDeployment", ["{"], 'deployment is "{"; allowed: an object as JSON'),
    ("readDeployment", [None], "deployment is null; allowed: an object with named fields"),
    ("readDeployment", ["null"], "deployment is null"),
    ("readDeployment", [[]], "deployment is an object; allowed: an object with named fields"),
    ("readDeployment", [DEPLOYMENT | {"chain_id": -1}], "chain_id is -1; allowed: a whole number from 0"),
    ("readDeployment", [DEPLOYMENT | {"chain_id": 1.5}], "chain_id is 1.5"),
    ("readDeployment", [DEPLOYMENT | {"cash": "0x12"}], 'cash is "0x12"; allowed: an address'),
    ("decodeProof", ["0x" + "11" * 255], "allowed: 256 bytes, 0x-hex"),
    ("decodeProof", ["zz" * 256], "allowed: 256 bytes, 0x-hex"),
    ("computeContext", ["0x" + "11" * 31], "digest is"),
    ("computeContext", ["11" * 32], "digest is"),
    ("getAccount", ["0x" + "11" * 31], "account or digest is"),
    ("decodePolicyName", ["11" * 32], "account or digest is"),
    ("readEvents", ["0"], "blocks of one request is 0; allowed: at least 1"),
    ("readMessage", ["Nothing", {}], 'type is "Nothing"'),
    ("makeAttestBatch", [[], 1, 1], "number of requests in a batch is 0; allowed: at least 1"),
    ("makeTradeBatch", [[], 1, 1], "number of requests in a batch is 0; allowed: at least 1"),
    ("makeTradeBatch", [AT_TWO_EPOCHS, 1, 1], 'epoch of a request in a batch is "2,1,1"; allowed: 1,1,1, the first'),
]
"""A function of the client with what it is given, and what is then said."""
REFUSED = (*REFUSED_MESSAGES, *REFUSED_CALLS, *REFUSED_CHECKS)
REASONS = list(enumerate(reason for *_, reason in REFUSED))


@pytest.fixture(scope="module")
def refusals(client) -> list[str]:
    """What node says to each of them, asked at once."""
    right = make_action(ActionKind.DEPOSIT).to_json_dict()
    messages = [{"name": "Action", "message": right | change} for change, _ in REFUSED_MESSAGES]
    checks = [{"name": name, "args": args} for name, args, _ in REFUSED_CHECKS]
    answered = ask(client, messages, [call for call, _ in REFUSED_CALLS], checks)
    return answered["messages"] + answered["calls"] + answered["checks"]


@pytest.mark.property("P-300")
@pytest.mark.parametrize("place, reason", REASONS)
def test_what_no_contract_takes_is_refused(refusals, place, reason):
    assert refusals[place].startswith("ValueInvalid: ") and reason in refusals[place]


def test_the_package_is_of_the_projects_version_and_names_what_its_types_use():
    package = json.loads((typescript.ROOT / typescript.CLIENT / "package.json").read_text())
    project = tomllib.loads((typescript.ROOT / "pyproject.toml").read_text())["project"]
    assert package["version"] == project["version"]
    sources = "".join(path.read_text() for path in (typescript.ROOT / typescript.CLIENT / "src").glob("*.ts"))
    imported = set(re.findall(r'from "([a-z][a-z0-9-]*)"', sources))
    assert imported == set(package["peerDependencies"]) == {"abitype", "viem"}
    tools = json.loads((typescript.ROOT / "package.json").read_text())["devDependencies"]
    assert imported <= set(tools)


@pytest.mark.slow
def test_an_owner_in_node_carries_pythons_proofs_to_the_chain(client):
    """A key that is only in node signs what Python proved; what the chain then says is read in node."""
    set_up(["mini"])
    market = zk.Market.load("deribit_2026-08-22").at("mini")
    with zk.LocalVenue(market) as venue:
        venue.publish(zk.House(market).epoch(number=1))
        wallet = zk.Wallet.create()
        trader = venue.open(wallet, cash=zk.usd(1_000))
        trader.attest("maintenance")
        venue.fund(trader, cash_usd6=zk.usd(250))
        signed = trader.client.deposit(zk.usd(250), deadline=venue.deadline)
        asked = {
            "url": venue.chain.url, "deployment": asdict(venue.contracts.deployment),
            "key": wallet.account.key.to_0x_hex(), "action": signed.message.to_json_dict(),
            "proof": "0x" + signed.proof.to_bytes().hex(), "sender": venue.submitter, "range": 3,
        }  # fmt: skip
        shown, view = run_script(client, "venue", **asked), venue.contracts.house.get_account(trader.id)
    assert shown["status"] == "success" and shown["signature"] == "0x" + signed.signature.hex()
    assert shown["account"] == "0x" + trader.id.hex() and shown["view"]["auth"] == wallet.address
    assert int(shown["view"]["commitment"]) == view.commitment == signed.message.commitment_new
    proved = shown["before"].pop("proved")
    assert (proved["margin"], proved["epoch"], shown["latestEpoch"]) == ("maintenance", "1", "1")
    assert shown["before"] == {"isCurrent": True}
    assert shown["after"] == {"isCurrent": False, "proved": {"margin": "", "time": 0, "epoch": "0"}}, "it has changed"
    assert shown["isInvalidated"] is False
    assert [flow["cashFlow"] for flow in shown["flows"]] == ["1000000000", "250000000"]
    assert "chain id of the node is 31337; allowed: 5" in shown["refused"]


def test_what_the_compiler_refuses_is_said(tmp_path, monkeypatch):
    source = tmp_path / typescript.CLIENT / "src"
    (source / "generated").mkdir(parents=True)
    (source / "index.ts").write_text("export const number: string = 1;\n")
    (source.parent / "tsconfig.json").write_text('{"compilerOptions": {"noEmit": true, "types": []}}')
    monkeypatch.setattr(typescript, "ROOT", tmp_path)
    with pytest.raises(SetupFailed, match=r"Type 'number' is not assignable to type 'string'"):
        typescript.build_client()
    monkeypatch.setattr(typescript, "NODE_MODULES", tmp_path)
    with pytest.raises(SetupFailed, match="`zkmargin setup --tools` installs it"):
        typescript.build_client()
