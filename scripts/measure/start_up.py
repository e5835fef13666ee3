"""How long a command takes to start: `--help`, which computes nothing, and the margin of one book.

    python -m zkmargin.scripts.measure.start_up [--runs 9] | python -m zkmargin.scripts.measure.ledger start_up

Each run is a process of its own, which finds byte code where Python keeps it; seconds are medians, by the wall clock
and of the processor in all threads.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "help": ("--help",),
    "margin": ("margin", "--portfolio", "short_strangle", "--json"),
}
PROGRAM = "from zkmargin.scripts.cli.main import main; main()"


def measure(runs: int) -> dict[str, dict[str, float]]:
    """Seconds of each of `COMMANDS`, after one run that does not count: it fills the disk's cache."""
    figures = {}
    for name, arguments in COMMANDS.items():
        samples = [run(arguments) for _ in range(1 + runs)][1:]
        wall, cpu = (statistics.median(column) for column in zip(*samples, strict=True))
        figures[name] = {"seconds": round(wall, 3), "cpu_s": round(cpu, 3)}
    return figures


def run(arguments: tuple[str, ...]) -> tuple[float, float]:
    """Seconds of one run: by the wall clock, and of the processor."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"zkmargin {' '.join(arguments)} ended with {process.returncode}")
    return seconds, usage.ru_utime + usage.ru_stime


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    print(json.dumps({"runs": options.runs, **measure(options.runs)}, indent=2))


if __name__ == "__main__":
    main()
