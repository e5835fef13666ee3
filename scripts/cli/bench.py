"""`zkmargin bench`: what proving and the engine cost on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.options import AsJson, PresetName

PRESETS = ("mini", "standard")
LEAST = 5

app = typer.Typer(invoke_without_command=True)

Runs = Annotated[int, typer.Option(min=LEAST, help="Repetitions of each figure.")]


@app.callback()
def bench(context: typer.Context, runs: Runs = LEAST, as_json: AsJson = False) -> None:
    """What this machine takes: the prover, also without a subcommand, and the engine.

    Example: zkmargin bench --json > bench.json
    """
    if context.invoked_subcommand is None:
        prover(runs, as_json)


@app.command()
def prover(runs: Runs = LEAST, as_json: AsJson = False) -> None:
    """Prover figures for mini and standard, medians, beside snarkjs on the same key and witness.

    Example: zkmargin bench prover --json > bench.json
    """
    from zkmargin.scripts.cli import bench_prover as work

    figures = {}
    with console.show_steps(len(PRESETS) * work.ROUNDS_PER_PRESET) as steps:
        for preset in PRESETS:
            figures[preset] = work.measure(preset, runs, steps)
    machine = work.describe_machine()
    if as_json:
        console.print_json({**figures, "env": machine})
        return
    rows = [(name, *(_format(figures[preset][name]) for preset in PRESETS)) for name in figures["standard"]]
    title = f"Medians of {runs} runs ({work.LEAST_SNARKJS} for snarkjs)"
    console.out.print(console.make_table(title, ("", *PRESETS), rows, right=(1, 2)))
    console.out.print(console.make_key_values("Machine", machine))


@app.command()
def peers(
    runs: Runs = LEAST,
    preset: Annotated[
        PresetName, typer.Option(help="Preset whose development key is proved with.")
    ] = PresetName.STANDARD,
    as_json: AsJson = False,
) -> None:
    """Other provers on the same key and witness, in turn: ark-groth16, taceo-groth16 (built by cargo), snarkjs.

    Example: zkmargin bench peers --json > peers.json
    """
    from zkmargin.scripts.cli import bench_peers as work

    with console.show_steps(work.STEPS + runs) as steps:
        document = work.measure(preset.value, runs, steps)
    if as_json:
        console.print_json(document)
        return
    seconds, ratios = document["seconds"], document["ratio_to_ours"]
    rows = [(name, f"{seconds[name]:.4f}", f"{ratios[name]:.2f}") for name in seconds]
    console.out.print(
        console.make_table(f"Medians of {runs} runs at {preset.value}", ("", "s", "ratio"), rows, right=(1, 2))
    )
    console.out.print(console.make_key_values("Machine", document["env"]))


@app.command()
def backends(
    powers: Annotated[Path, typer.Option(help="Powers-of-tau file, prepared for phase 2; 2^15 or more.")],
    runs: Annotated[int, typer.Option(min=1, help="Proofs of each system.")] = 1,
    as_json: AsJson = False,
) -> None:
    """The statement at mini on Groth16 and on PLONK, whose set-up is universal: size, set-up, proof, gas.

    Example: zkmargin bench backends --powers powers_15.ptau --json > backends.json
    """
    from zkmargin.scripts.cli import bench_backends as work

    with console.show_steps(work.STEPS) as steps:
        document = work.measure(powers, runs, steps)
    if as_json:
        console.print_json(document)
        return
    systems = document["systems"]
    names = dict.fromkeys(name for figures in systems.values() for name in figures)
    rows = [(name, *(str(figures.get(name, "")) for figures in systems.values())) for name in names]
    console.out.print(console.make_table(f"Proof systems at {document['preset']}", ("", *systems), rows))
    console.out.print(console.make_key_values("Machine", document["env"]))


@app.command()
def engine(
    runs: Runs = 9,
    accounts: Annotated[int, typer.Option(min=1_000, help="Number of random accounts.")] = 100_000,
    scheduler: Annotated[str | None, typer.Option(help="Also time it on the Dask scheduler at this address.")] = None,
    as_json: AsJson = False,
) -> None:
    """Margin of many accounts under the initial policy, as a multiple of the bare numpy matmul; pricing; one
    account's certificate; medians.

    Example: zkmargin bench engine --json > engine.json
    """
    from zkmargin.scripts.cli import bench_engine as work

    with console.show_steps(work.STEPS + runs) as steps:
        document = work.measure(runs, accounts, scheduler, steps)
    console.show_values(f"Medians of {runs} runs, {work.THREADS} threads", document, as_json)


def _format(value: int | float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
