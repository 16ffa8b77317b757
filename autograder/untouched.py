"""Say what importing a higher module changes in lower ones: nothing, if all is well.

Run in a process of its own, `python -m autograder.untouched tensor activations` imports the last
module after the others and prints, one per line, what it changed in them.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


def changes(lower: list[str], higher: str) -> list[str]:
    """Import `higher` after `lower` and name every attribute of those that it changed."""
    modules = [import_module(f"tinytorch.{name}") for name in lower]
    before = _attributes(modules)
    import_module(f"tinytorch.{higher}")
    after = _attributes(modules)
    same = {name for name in before.keys() & after.keys() if before[name] is after[name]}
    return sorted((before.keys() | after.keys()) - same)


def _attributes(modules: list[ModuleType]) -> dict[str, Any]:
    """Map "tensor.Tensor.sum" to its object, for modules and the classes they define."""
    found = {}
    for module in modules:
        short = module.__name__.rpartition(".")[2]
        for name, value in vars(module).items():
            found[f"{short}.{name}"] = value
            if isinstance(value, type) and value.__module__ == module.__name__:
                found |= {f"{short}.{name}.{key}": item for key, item in vars(value).items()}
    return found


if __name__ == "__main__":
    print("\n".join(changes(sys.argv[1:-1], sys.argv[-1])))
