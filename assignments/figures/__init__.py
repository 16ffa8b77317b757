"""Draw every figure of the lessons from the reference: `python -m assignments.figures [--check]`.

Staff only. `<module>.py` draws what `NN_<module>/README.md` shows. Shapes, strides, curves and
slopes come from `tinytorch`; measured numbers come from the lesson's own printed results, so that
text and picture cannot differ. The bytes are the same on every run; `--check` writes nothing and
fails where a committed figure is not what is drawn here.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from assignments.catalog import load_course
from assignments.figures.drawing import FOLDER, STYLE


def _figures() -> dict[str, Callable[[], Figure]]:
    """Find the function that draws each figure, by the figure's path below `assignments`."""
    return {
        f"{assignment.id}/figures/{name}.svg": make
        for assignment in load_course().assignments
        for name, make in import_module(f"{__name__}.{assignment.module}").FIGURES.items()
    }


FIGURES = _figures()


def draw(make: Callable[[], Figure]) -> bytes:
    """Return the figure as SVG, on white, without a date."""
    with matplotlib.rc_context(STYLE):
        buffer = io.BytesIO()
        make().savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def drifted(folder: Path = FOLDER) -> list[str]:
    """Name the figures below `folder` that are missing or are not what is drawn now."""
    paths = {name: folder / name for name in FIGURES}
    return [n for n, p in paths.items() if not p.is_file() or p.read_bytes() != draw(FIGURES[n])]


def main(arguments: list[str] | None = None, folder: Path = FOLDER) -> int:
    """Write the figures that have drifted; with --check only name them, and fail."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail on drift")
    check = parser.parse_args(arguments).check
    names = drifted(folder)
    for name in names:
        print(f"{name} has drifted: run python -m assignments.figures" if check else f"drew {name}")
        if not check:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(draw(FIGURES[name]))
    return int(check and bool(names))
