"""`python -m tests.bench [tensors loader ...]` measures, prints, writes a JSON file.

Ends with 1 when a promise is not kept.
"""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import asdict
from datetime import datetime, timezone
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.table import Table

from autograder.errors import IsolationError
from tests.bench.measure import Bar

OUT = Path("build/bench.json")
NAMES = """
    grading
    workers
    tensors
    graph
    loader
    bpe
    mnist
    milestones
    images
    mlp
    cnn
    gpt
    decode
    acceleration
    quantization
    imports
    competition
""".split()
BENCHMARKS = {name: import_module(f"tests.bench.{name}") for name in NAMES}
console = Console(highlight=False)


def main(names: list[str]) -> int:
    """Run the benchmarks called `names`, or all; return the exit code."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        console.print(f"no benchmark {', '.join(unknown)}; choose from: {', '.join(BENCHMARKS)}")
        return 2
    bars = []
    for name in names or BENCHMARKS:
        with console.status(f"measuring {name}"):
            bars += _bars(name)
    console.print(table(bars))
    for bar in bars:
        console.print(f"{bar.name}: {bar.note}", markup=False, soft_wrap=True)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(_document(bars), indent=2) + "\n", encoding="utf-8")
    console.print(f"{OUT}", soft_wrap=True)
    return 1 if any(bar.met is False for bar in bars) else 0


def _bars(name: str) -> list[Bar]:
    try:
        return BENCHMARKS[name].bars()
    except IsolationError as error:
        return [Bar(name, 0, None, note=f"not measured: {error}")]


def table(bars: list[Bar]) -> Table:
    """Show each bar: its target, what was measured, whether it is met."""
    shown = Table("promise", "target", "measured", "met")
    for bar in bars:
        sign = "≥" if bar.at_least else "≤"
        measured = "–" if bar.measured is None else f"{bar.measured:.3g} {bar.unit}"
        met = {True: "[green]yes", False: "[red]NO", None: "[yellow]not measured"}[bar.met]
        shown.add_row(bar.name, f"{sign} {bar.target:g} {bar.unit}", measured, met)
    return shown


def _document(bars: list[Bar]) -> dict:
    machine = {"system": platform.platform(), "python": platform.python_version()}
    return {
        "measured_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine,
        "bars": [asdict(bar) | {"met": bar.met} for bar in bars],
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
