"""Work inside a solver that Ctrl-C can leave."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Thread
from typing import TypeVar

POLL_SECONDS = 0.05
"""How often the caller looks whether it is interrupted."""

Result = TypeVar("Result")


def run_interruptible(work: Callable[[], Result], seconds: float) -> Result | None:
    """`work()`, on a thread of its own, so that an interrupt reaches the caller while a solver holds no lock.

    None if there is no result after `seconds`.

    The thread is a daemon: left behind, it ends with its own time limit, or with the process. What `work` raises is
    raised here.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    end = time.monotonic() + seconds
    while thread.is_alive() and time.monotonic() < end:
        thread.join(POLL_SECONDS)
    if errors:
        raise errors[0]
    return results[0] if results else None
