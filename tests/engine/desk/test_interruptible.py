"""Work on a thread gives its result or its error, and an interrupt does not wait for its end."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from zkmargin.engine.desk.interruptible import run_interruptible
from zkmargin.engine.errors import OutOfRange

WAIT = """
import signal
import time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job has it ignored
from zkmargin.engine.desk.interruptible import run_interruptible
print("begun", flush=True)
run_interruptible(lambda: time.sleep(60), 60)
"""


def test_the_result_and_the_error_come_back():
    assert run_interruptible(lambda: 7, 60) == 7

    def fail():
        raise OutOfRange("lots", 3, 0, 2)

    with pytest.raises(OutOfRange, match="lots is 3"):
        run_interruptible(fail, 60)


def test_an_interrupt_ends_the_wait():
    command = [sys.executable, "-c", WAIT]
    root = Path(__file__).parents[3]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)  # half of the work's time
        assert "KeyboardInterrupt" in errors
    finally:
        process.kill()
        process.wait()


def test_work_that_overruns_its_time_is_left_alone():
    never = threading.Event()
    try:
        assert run_interruptible(never.wait, 0.1) is None
    finally:
        never.set()
