"""otter-grader's own classes, without the two seconds that `import otter` takes.

`otter/__init__.py` imports notebooks, exporters, pandas and a browser driver. Grading needs the
test-file format, the results and their Gradescope form, which import none of these. So the parent
packages are entered into `sys.modules` bare: found where they are installed, but not executed.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec, PathFinder

_BARE = ("otter", "otter.run", "otter.run.run_autograder")


def _enter_bare(name: str, path: list[str] | None) -> list[str]:
    found = PathFinder.find_spec(name, path)
    if found is None or found.submodule_search_locations is None:
        raise ModuleNotFoundError(f"{name} is not installed: run `make` in the grader's folder")
    folders = list(found.submodule_search_locations)
    bare = ModuleSpec(name, loader=None, origin=found.origin, is_package=True)
    bare.submodule_search_locations = folders
    sys.modules[name] = importlib.util.module_from_spec(bare)
    return folders


if "otter" not in sys.modules:
    _path = None
    for _name in _BARE:
        _path = _enter_bare(_name, _path)

from otter.run.run_autograder.autograder_config import AutograderConfig  # noqa: E402
from otter.test_files import GradingResults  # noqa: E402
from otter.test_files.abstract_test import TestCaseResult  # noqa: E402
from otter.test_files.exception_test import ExceptionTestFile  # noqa: E402
from otter.version import __version__  # noqa: E402

__all__ = [
    "AutograderConfig",
    "ExceptionTestFile",
    "GradingResults",
    "TestCaseResult",
    "__version__",
]
