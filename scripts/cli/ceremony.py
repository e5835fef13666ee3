"""`zkmargin ceremony`: phase 2 of a set-up with many hands, by snarkjs on a public powers-of-tau file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.options import AsJson, PresetName

app = typer.Typer(help="Phase 2 of a Groth16 set-up with many hands: begin, contribute, beacon, verify, export.")

Circuit = Annotated[str, typer.Option(help="transition, open, reveal or rekey.")]
Preset = Annotated[PresetName, typer.Option(help="Size of the statement.")]
Powers = Annotated[Path, typer.Option(help="Powers-of-tau file, prepared for phase 2.")]
Before = Annotated[Path, typer.Argument(help="The last file of the ceremony.")]
After = Annotated[Path, typer.Argument(help="Where the next file goes.")]


@app.command()
def begin(circuit: Circuit, powers: Powers, out: After, preset: Preset = PresetName.STANDARD) -> None:
    """Write the first file of a ceremony, from the pinned constraints. Nobody has contributed yet: anybody forges.

    Example: zkmargin ceremony begin --circuit open --powers powers_14.ptau open_0000.zkey
    """
    from zkmargin.engine.presets import get_preset
    from zkmargin.prover.groth16 import ceremony

    ceremony.begin(circuit, get_preset(preset), powers, out)
    console.out.print(f"{out}: hand it to the first contributor")


@app.command()
def contribute(before: Before, out: After, name: Annotated[str, typer.Option(help="Who contributes.")]) -> None:
    """Add this machine's randomness. Hand on the new file, destroy this one's machine state, publish the hash.

    Example: zkmargin ceremony contribute open_0000.zkey open_0001.zkey --name alice
    """
    from zkmargin.prover.groth16 import ceremony

    ceremony.contribute(before, out, name)
    console.out.print(f"{out}: hand it to the next contributor")


@app.command()
def beacon(
    before: Before,
    out: After,
    value: Annotated[str, typer.Option(help="Randomness that nobody could know before: 16 to 64 bytes of hex.")],
    exponent: Annotated[int, typer.Option(help="It is hashed 2^exponent times.")] = 10,
) -> None:
    """End the contributions with public randomness, such as the hash of a block announced beforehand.

    Example: zkmargin ceremony beacon open_0003.zkey open_final.zkey --value 00000000000000000001a7c0…
    """
    from zkmargin.prover.groth16 import ceremony

    ceremony.add_beacon(before, out, value, exponent)
    console.out.print(f"{out}: verify it, and export it")


@app.command()
def verify(
    circuit: Circuit,
    powers: Powers,
    zkey: Before,
    preset: Preset = PresetName.STANDARD,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Compile the circuit anew, whatever was built.")] = False,
    as_json: AsJson = False,
) -> None:
    """Verify every contribution of a file from constraints and powers of tau on, and print transcript and hashes, and
    the most memory that a process of it took.

    Example: zkmargin ceremony verify --rebuild --circuit open --powers powers_14.ptau open_final.zkey
    """
    from tempfile import TemporaryDirectory

    from zkmargin.engine.presets import get_preset
    from zkmargin.prover.groth16 import ceremony
    from zkmargin.prover.paths import BUILD

    with TemporaryDirectory() as folder:
        build = Path(folder) if rebuild else BUILD
        transcript = ceremony.verify(circuit, get_preset(preset), powers, zkey, build=build)
    peak = measure_peak()
    if as_json:
        console.print_json(ceremony.to_document(transcript) | {"peak_mb": peak})
        return
    rows = [(each.number, each.name, each.hash) for each in transcript.contributions]
    console.out.print(console.make_table(f"Ceremony of {circuit} at {preset}", ("", "who", "hash"), rows, right=(0,)))
    hashes = {
        "constraints, SHA-256": transcript.circuit_hash,
        "powers of tau, SHA-256": transcript.powers_hash,
        "proving key, SHA-256": transcript.zkey_hash,
        "verification key": transcript.key_hash,
        "peak memory, MB": str(peak),
    }
    console.out.print(console.make_key_values("Hashes", hashes))


def measure_peak() -> int:
    """Peak resident megabytes of this process or of the largest that it has waited for: circom, snarkjs."""
    import resource

    own, waited = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return round(max(own, waited) / 1024)


@app.command()
def export(circuit: Circuit, powers: Powers, zkey: Before, preset: Preset = PresetName.STANDARD) -> None:
    """Verify a ceremony's last file, try it, and put it into the build folder as the preset's key.

    Example: zkmargin ceremony export --circuit open --powers powers_14.ptau open_final.zkey
    """
    from zkmargin.engine.presets import get_preset
    from zkmargin.prover.groth16 import ceremony

    entry = ceremony.export(circuit, get_preset(preset), powers, zkey)
    rows = {"key hash": entry.key_hash, "zkey SHA-256": entry.zkey_hash, "circuit SHA-256": entry.circuit_hash}
    console.out.print(console.make_key_values(f"Key of {circuit} at {preset}", rows))
