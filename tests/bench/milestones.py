"""How long each milestone trains on its embedded data, by the clock, and what it reaches."""

from __future__ import annotations

import importlib
import time

import numpy as np

from assignments.catalog import load_course
from milestones.stage import solve
from tests.bench.measure import Bar

SEED = 0


def bars() -> list[Bar]:
    """Train each milestone once, as its script does."""
    scripts = [one.script for one in load_course().milestones if one.script.is_file()]
    return [
        _bar(importlib.import_module(f"milestones.{script.stem}").MILESTONE) for script in scripts
    ]


def _bar(milestone) -> Bar:
    tasks, said = milestone.draw(np.random.default_rng(SEED)), []
    began = time.perf_counter()
    for name, task in tasks.items():
        result = solve(milestone, name, task, SEED, watch=None)
        for gate in (gate for gate in milestone.gates if gate.task == name):
            value = task.measure(gate.measure, task.require(result["predicted"]))
            said.append(f"{gate.measure}, {name}: {gate.shown(value)} (gate {gate})")
    took = time.perf_counter() - began
    return Bar(f"milestone of {milestone.year}", 60, took, unit="s", note="; ".join(said))
