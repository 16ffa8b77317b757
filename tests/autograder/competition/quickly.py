"""`autograder compete` as it is, with little effort: for a runner that has no time to measure."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command does, before NumPy is there

from autograder.cli import main
from autograder.competition import judging
from tests.autograder.competition.arena import LIMITS, QUICK

if __name__ == "__main__":
    judging.Effort = lambda: QUICK
    judging.LIMITS = LIMITS
    main()
