"""What the scripts share: arguments, a progress bar, the gates, metrics.json and the picture."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from milestones.deployment import Deployment, rehearse
from milestones.problem import Gate, Milestone, Task

HERE = Path(__file__).parent
COLORS = ("#0072B2", "#E69F00", "#009E73")  # Okabe and Ito's, which the colour-blind tell apart
WRONG = "#D55E00"
NO_PICTURE = "none, matplotlib is not installed: pip install -e '.[milestones]'"


def main(milestone: Milestone) -> None:
    """Run a script from the command line; exit code 0 if all gates hold, 1 if one does not."""
    wanted = _arguments(milestone)
    print(f"{milestone.year}: {milestone.title}")
    started, gates = time.perf_counter(), milestone.gates
    try:
        tasks = milestone.draw(np.random.default_rng(wanted.seed))
        if wanted.data is not None:
            tasks, gates = _downloaded(milestone, wanted.data)
        results = {name: _train(milestone, name, task, wanted.seed) for name, task in tasks.items()}
    except NotImplementedError as error:
        raise SystemExit(f"stopped, not written yet: {error}") from None
    seconds = time.perf_counter() - started
    metrics = [_metric(gate, tasks, results) for gate in gates]
    for metric in metrics:
        verdict = "holds" if metric["passed"] else "MISSED"
        print(f"{metric['name']}: {metric['shown']}, gate {metric['gate']}: {verdict}")
    passed = all(metric["passed"] for metric in metrics)
    facts = {"year": milestone.year, "title": milestone.title, "seed": wanted.seed}
    facts |= {"passed": passed, "seconds": round(seconds, 3), "metrics": metrics}
    _write(wanted.out / "metrics.json", json.dumps(facts, indent=1).encode() + b"\n")
    print(f"Picture: {_draw(milestone, tasks, results, wanted.out)}")
    print(f"Metrics: {_shown(wanted.out / 'metrics.json')}")
    print("Passed." if passed else "Not passed: a gate was missed.")
    raise SystemExit(0 if passed else 1)


def _downloaded(milestone: Milestone, folder: Path) -> tuple[dict[str, Task], tuple[Gate, ...]]:
    try:
        return milestone.download(folder)
    except OSError as error:  # what is missing, and how to get it, says whoever looked for it
        raise SystemExit(str(error)) from None


def _arguments(milestone: Milestone) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=f"{milestone.year}: {milestone.title}.")
    parser.add_argument("--seed", type=int, default=0, help="of the examples and of the training")
    parser.add_argument("--out", type=Path, default=HERE / "out" / str(milestone.year))
    parser.add_argument("--data", type=Path, help="a folder with larger data, if there is any")
    wanted = parser.parse_args()
    if wanted.data is not None and milestone.download is None:
        parser.exit(2, f"{milestone.year} has no larger data to learn from: leave out --data\n")
    return wanted


def _train(milestone: Milestone, name: str, task: Task, seed: int) -> dict[str, np.ndarray]:
    """Train on one task behind a progress bar."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, TextColumn("{task.fields[words]}")) as progress:
        bar = progress.add_task(name, total=1.0, words="")

        def watch(share: float, words: str, said: str = "") -> None:
            progress.update(bar, completed=share, words=words)
            if said:
                progress.console.print(said, markup=False, highlight=False, soft_wrap=True)

        result = solve(milestone, name, task, seed, watch)
        progress.update(bar, completed=1.0)  # it may have ended before its last epoch
    return result


def solve(
    milestone: Milestone, name: str, task: Task | Deployment, seed: int, watch: Callable | None
) -> dict[str, Any]:
    """Train on one task here; return what comes of it, in it `predicted`."""
    train = milestone.training(name)
    if isinstance(task, Deployment):
        return rehearse(task, train, seed, watch)
    return train(**task.arguments(), seed=seed, watch=watch)


def _metric(gate: Gate, tasks: dict[str, Task], results: dict[str, dict]) -> dict:
    value = tasks[gate.task].measure(gate.measure, results[gate.task]["predicted"])
    return {
        "name": f"{gate.measure}, {gate.task}",
        "value": value,
        "shown": gate.shown(value),
        "gate": str(gate),
        "at_least": gate.at_least,
        "at_most": gate.at_most,
        "passed": gate.holds(value),
    }


def _draw(milestone: Milestone, tasks: dict, results: dict, folder: Path) -> str:
    """Draw the picture; return where it is, or why there is none."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        return NO_PICTURE
    figure = Figure(figsize=(10, 6.5), layout="constrained")
    milestone.picture(figure, tasks, results)
    figure.suptitle(f"{milestone.year}: {milestone.title}")
    path = folder / f"{milestone.name}.png"
    draft = path.with_name(f".{os.getpid()}.png")
    figure.savefig(draft, dpi=120)
    os.replace(draft, path)
    return _shown(path)


def _write(path: Path, content: bytes) -> None:
    """Put `content` at `path`, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(content)
    os.replace(draft, path)


def _shown(path: Path) -> str:
    """Return a path as short as it can be said from here."""
    path = path.resolve()
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def points(axes, places: np.ndarray, labels: np.ndarray, names: list[str]) -> None:
    """Draw examples as points, each class in its colour, and fix the view to them."""
    for kind, name in enumerate(names):
        axes.plot(*places[labels == kind].T, "o", ms=5, color=COLORS[kind], label=name)
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())


def line(axes, weights: np.ndarray) -> None:
    """Draw where a·x + b·y + c = 0, for weights (a, b, c), across the view as it is."""
    a, b, c = weights
    if abs(b) > abs(a):
        x = np.array(axes.get_xlim())
        axes.plot(x, -(a * x + c) / b, color="black")
    else:
        y = np.array(axes.get_ylim())
        axes.plot(-(b * y + c) / a, y, color="black")


def regions(axes, surface: np.ndarray, view: tuple[float, float]) -> None:
    """Colour a square by the sign of a score on a grid in it, and draw the border between."""
    ticks = np.linspace(*view, len(surface))
    axes.contourf(ticks, ticks, surface > 0, [-1, 0.5, 2], colors=COLORS[:2], alpha=0.25)
    axes.contour(ticks, ticks, surface, [0], colors="black")
