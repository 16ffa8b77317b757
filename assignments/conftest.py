"""What pytest needs for visible tests: their task, their message, and a file that won't import.

Each test carries `@pytest.mark.task("Tensor.matmul")`; its docstring is what a student reads when
it fails. Both go into the JSON report, from which `tito test` makes its table.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--task Tensor.matmul`: run the tests of that task; may be given again."""
    parser.addoption("--task", action="append", default=[], help="run the tests of this task only")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, which says the task that a test belongs to."""
    config.addinivalue_line("markers", "task(name): the task of assignment.toml that it tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests of the tasks asked for."""
    wanted = config.getoption("--task")
    if wanted:
        left = [item for item in items if _task(item) not in wanted]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


@pytest.hookimpl(optionalhook=True)
def pytest_json_runtest_metadata(item: pytest.Item) -> dict[str, str | None]:
    """Put the task and the docstring beside each outcome in the JSON report."""
    return {"task": _task(item), "message": inspect.getdoc(getattr(item, "obj", None))}


@pytest.hookimpl(tryfirst=True)
def pytest_make_collect_report(collector: pytest.Collector) -> pytest.CollectReport | None:
    """Say in one line that the student's file cannot be imported, before its tests try to."""
    if not isinstance(collector, pytest.Module):
        return None
    module = collector.path.stem.removeprefix("test_")
    try:
        importlib.import_module(f"tinytorch.{module}")
        _require_own()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # also SystemExit, which would end pytest
        line = import_failure(error, f"tinytorch/{module}.py")
        return pytest.CollectReport(collector.nodeid, "failed", line, [])
    return None


def import_failure(error: BaseException, source: str) -> str:
    """Describe why the student's file `source` cannot be imported, as "file:line: error".

    Example: "tinytorch/tensor.py:12: SyntaxError: '(' was never closed"
    """
    if isinstance(error, ModuleNotFoundError) and f"{error.name}".startswith("tinytorch."):
        return f"{error.name.replace('.', '/')}.py does not exist; `tito start` puts it there"
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_shown(error.filename)}:{error.lineno}: {type(error).__name__}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if ROOT / "tinytorch" in Path(frame.filename).parents]
    where = f"{_shown(own[-1].filename)}:{own[-1].lineno}" if own else source
    return ": ".join(filter(None, [where, type(error).__name__, " ".join(str(error).split())]))


def _require_own() -> None:
    """Refuse a module of another copy of the course, which `pip install -e` may have put in reach.

    It would pass here for one that the student has not started.
    """
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.startswith("tinytorch.") and file and ROOT not in Path(file).resolve().parents:
            raise ModuleNotFoundError(name=name)


def _shown(filename: str) -> str:
    path = Path(filename)
    return path.relative_to(ROOT).as_posix() if ROOT in path.parents else path.as_posix()


def _task(item: pytest.Item) -> str | None:
    marker = item.get_closest_marker("task")
    return marker.args[0] if marker else None
