"""`zkmargin key`: the verification keys of this machine, and whether a deployment has registered them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.connection import connect_contracts
from zkmargin.scripts.cli.options import AsJson, DeploymentFile, PresetName, RpcUrl

app = typer.Typer(help="Verification keys: export, hash, and comparison with a deployment.", no_args_is_help=True)

Size = Annotated[PresetName, typer.Option(help="Size of the statement.")]
Circuit = Annotated[str, typer.Option(help="transition or open.")]


def _check_circuit(circuit: str) -> str:
    if circuit not in ("transition", "open"):
        raise typer.BadParameter(f"circuit {circuit!r}: transition or open is allowed")
    return circuit


@app.command("export")
def export(
    out: Annotated[Path, typer.Option(help="Where snarkjs's JSON of the key goes.")],
    preset: Size = PresetName.STANDARD,
    circuit: Circuit = "transition",
    as_json: AsJson = False,
) -> None:
    """Write a verification key as snarkjs reads it.

    Example: zkmargin key export --preset mini --out transition.vkey.json
    """
    from zkmargin.engine.files import write_whole
    from zkmargin.engine.presets import get_preset
    from zkmargin.prover.groth16.keys import load_verifying_key
    from zkmargin.scripts.cli.inputs import require_writable

    require_writable(out)
    key = load_verifying_key(_check_circuit(circuit), get_preset(preset.value), allow_insecure=True)
    write_whole(out, json.dumps(key.to_json(), indent=1) + "\n")
    document = {"written": str(out), "circuit": circuit, "key_hash": "0x" + key.hash.hex()}
    console.show_values("Exported", document, as_json)


@app.command("hash")
def show_hash(preset: Size = PresetName.STANDARD, as_json: AsJson = False) -> None:
    """The hashes of both keys, as publishers sign them and the registry holds them.

    Example: zkmargin key hash --preset standard
    """
    from zkmargin.engine.presets import get_preset
    from zkmargin.prover.groth16.keys import load_verifying_key

    size = get_preset(preset.value)
    hashes: dict[str, object] = {
        name: "0x" + load_verifying_key(name, size, allow_insecure=True).hash.hex() for name in ("transition", "open")
    }
    console.show_values(f"Verification keys of {size.name}", {"preset": size.name, **hashes}, as_json)


@app.command("verify")
def verify(
    preset: Size = PresetName.STANDARD,
    deployment: DeploymentFile = Path("deployment.json"),
    rpc_url: RpcUrl = "http://127.0.0.1:8545",
    as_json: AsJson = False,
) -> None:
    """Compare a deployment's registered key version with this machine's keys: hashes, stored bytes, flat policy's point
    and committee's key. Exit code 1 names the first that differs.

    Example: zkmargin key verify --preset standard --deployment deployment.json
    """
    from zkmargin.engine.presets import get_preset
    from zkmargin.venue.publishing import PublishingTerms

    contracts = connect_contracts(rpc_url, deployment)
    found = PublishingTerms.read(contracts, get_preset(preset.value)).key
    facts = {"version": found.version, "key_hash": "0x" + found.verifying_key.hash.hex(), "preset": preset.value}
    console.show_values("The registered key is this machine's", facts, as_json)
