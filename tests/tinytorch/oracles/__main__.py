"""Freeze PyTorch's answers: `python -m tests.tinytorch.oracles [module ...]`.

Only this needs PyTorch (2.13, CPU); the tests read the frozen arrays. `arrays` of `<module>.py`
returns those of `fixtures/<module>.npz`; the same PyTorch writes the same numbers.
"""

import sys
from importlib import import_module
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def main(names):
    """Write the fixtures called `names`, or all of them."""
    every = sorted(path.stem for path in HERE.glob("[!_]*.py"))
    for name in names or every:
        arrays = import_module(f"tests.tinytorch.oracles.{name}").arrays()
        np.savez_compressed(HERE.parent / "fixtures" / f"{name}.npz", **arrays)


if __name__ == "__main__":
    main(sys.argv[1:])
