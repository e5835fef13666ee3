"""What the escrow committee computes, timed: a key generation, one member's share of a decryption, and its combination.

python -m zkmargin.scripts.measure.committee --members 5 --threshold 3
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

from zkmargin.committee.decryption import DecryptionRequest, give_share, open_escrow
from zkmargin.committee.local import generate_key
from zkmargin.prover.account.escrow import escrow_key, make_scalar
from zkmargin.prover.messages.typed_data import Domain
from zkmargin.prover.statement.secret import Secret

DOMAIN = Domain(31337, "0x" + "11" * 20, "0x" + "22" * 20)
REPEATS = 20


def measure(call: Callable[[], object]) -> float:
    """Milliseconds of processor time of one call, the median of several."""
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return round(statistics.median(times) * 1000, 2)


def main() -> None:
    """Prints the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=5, help="n, 3 to 64")
    parser.add_argument("--threshold", type=int, default=3, help="t, more than half of n")
    options = parser.parse_args()
    start = time.process_time()
    shares = generate_key(options.members, options.threshold)
    generation = round(time.process_time() - start, 2)
    record = shares[0].record
    escrow = escrow_key(Secret(7), record.public_key, make_scalar())
    request = DecryptionRequest(DOMAIN, bytes(32), 1, 1, bytes(32), escrow)
    given = [give_share(share, request) for share in shares[: options.threshold]]
    figures = {
        "members": options.members,
        "threshold": options.threshold,
        "key_generation_all_members_seconds": generation,
        "share_ms": measure(lambda: give_share(shares[0], request)),
        "combination_ms": measure(lambda: open_escrow(record, request, given)),
    }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
