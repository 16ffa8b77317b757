"""Units of work for a pool: they must be found by name in another process."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def double(number: int) -> int:
    """Return twice `number`."""
    return 2 * number


def fragile(number: int) -> int:
    """Kill the process for 3, raise for 5, double everything else."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 5:
        raise ValueError("five")
    return 2 * number


def dies(_: int) -> None:
    """Kill the process."""
    os._exit(1)


def until_interrupted(folder: str) -> None:
    """Say that it runs, wait for an interrupt, say that it could tidy up."""
    Path(folder, "running").write_text(str(os.getpid()))
    try:
        time.sleep(600)
    finally:
        Path(folder, "tidy").touch()
