"""How long `import tinytorch` takes, against `import numpy`: whole processes, by CPU time."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.bench.measure import Bar, interleave, median_ratio, run

ROOT = Path(__file__).resolve().parents[2]
OURS = "import tinytorch; tinytorch.Tensor, tinytorch.relu"  # the package is lazy: use it
THEIRS = "import numpy"
ROUNDS = 21


def bars() -> list[Bar]:
    """Import both in turn, each in a new interpreter whose compiled files are in place."""
    with tempfile.TemporaryDirectory() as cache:
        compiled = {"PYTHONPYCACHEPREFIX": cache, "PYTHONDONTWRITEBYTECODE": ""}

        def cpu_s(code: str) -> float:
            return run([sys.executable, "-c", code], ROOT, compiled).cpu_s

        interleave(lambda: cpu_s(OURS), lambda: cpu_s(THEIRS), 1)  # writes the compiled files
        pairs = interleave(lambda: cpu_s(OURS), lambda: cpu_s(THEIRS), ROUNDS)
    details = {"rounds": ROUNDS, "clock": "CPU", "pairs_s": pairs}
    note = "import tinytorch, use Tensor and relu / import numpy"
    return [Bar("import", 1.15, median_ratio(pairs), note=note, details=details)]
