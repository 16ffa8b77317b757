"""Track A: the bytes of a model that still reads digits. Exact: nothing is timed.

What is counted says assignments/competition/weight.py. A framework is free because it is the
reference's, and not the entry's.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from assignments.competition import draws
from assignments.competition.answers import logits_fault
from assignments.competition.given import kinship, strange
from assignments.competition.weight import Weight, cost
from autograder.competition import probes
from autograder.competition.arena import Arena, Gate, Outcome, Part
from autograder.competition.contender import Contender
from autograder.competition.entries import Entry
from autograder.competition.refusal import Refused
from autograder.milestones import travelling
from autograder.sandbox import Sandbox, WorkerError

DIGITS, STRANGE, BATCH = 8000, 2000, 500


def weigh(box: Sandbox, entry: Entry) -> tuple[Weight, Entry]:
    """Return what `entry` weighs, and the entry as it runs; raises Refused."""
    source = np.frombuffer(entry.source, np.uint8)
    with box.branch({}).worker() as worker:  # a parser is no place for the grader's own process
        try:
            found = worker.run(travelling(cost), {"source": source})
        except WorkerError as failure:
            raise Refused(f"{entry.path} cannot be parsed: {failure}") from None
    weight = Weight(len(entry.data), found["literals"], found["code"])
    return weight, replace(entry, source=found["source"].tobytes())


def judge(arena: Arena) -> Outcome:
    """Weigh an entry of this track and try it; raises Refused."""
    weight, entry = weigh(arena.box, arena.entry)
    base, _ = weigh(arena.box, arena.baseline)
    images, labels = draws.hidden_digits(DIGITS, arena.rng)
    try:
        logits = _answers(Contender(arena.box, 0, entry), images)
    except Refused:
        # What runs has other lines: let the student's own text say where, if it fails too.
        _answers(Contender(arena.box, 0, arena.entry), images)
        raise
    found = {"accuracy": float(np.mean(logits.argmax(axis=1) == labels))}
    if "kinship" in entry.gates:
        kin = [kinship(logits, images)]
        for more in strange(images[:STRANGE], arena.rng):
            kin.append(kinship(_answers(Contender(arena.box, 0, entry), more), more))
        found["kinship"] = min(kin)
    return Outcome(
        value=weight.total,
        baseline=base.total,
        gates=tuple(Gate(name, found[name], least) for name, least in entry.gates.items()),
        parts=tuple(
            Part(name, getattr(weight, of), "bytes", getattr(base, of))
            for name, of in (("data", "data"), ("literals", "literals"), ("code", "extra"))
        ),
    )


def _answers(contender: Contender, images: np.ndarray) -> np.ndarray:
    """Return logits for all `images`, from a fresh worker, a batch at a time."""
    load, probe, answers = travelling(probes.featherweight), travelling(probes.answered), []
    data = np.frombuffer(contender.entry.data, np.uint8)
    with contender.lane() as lane:
        try:
            contender.require_made(lane.worker.run(load, {"data": data}))
            for batch in np.split(images, range(BATCH, len(images), BATCH)):
                answer = lane.worker.run(probe, {"images": batch})
                if fault := logits_fault(answer, len(batch)):
                    raise Refused(fault)
                answers.append(answer)
        except WorkerError as failure:
            raise Refused(contender.said(failure)) from None
    return np.concatenate(answers).astype(np.float64)
