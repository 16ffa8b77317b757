"""Measures one entry by the grader's protocol, on public examples: practice, in its own process.

    python -m assignments.competition.rehearsal TRACK DIVISION FOLDER RESULT

reads the entry's files in FOLDER and writes the file RESULT, JSON: what was measured, or why the
entry was refused. The grader does the same with secret examples, in a sandbox, and counts itself.
"""

from __future__ import annotations

import gc
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from assignments.competition import draws, given
from assignments.competition.tracks import PATH, Track, tracks
from assignments.competition.weight import weigh

SEED = 2026  # public: the grader's is not
DIGITS, NOISE, BATCH = 4000, 500, 500
BATCHES, BLOCKS, BLOCK_S, MOST_CALLS = (1, 256), 40, 0.006, 1000
RUNS, LOST, TARGET, JUDGED = 5, 1, 0.96, 500
BASELINES = PATH.parent / "baseline"
RESAMPLES = 1000


class Refused(Exception):
    """An entry broke a rule, or itself."""


@dataclass(frozen=True)
class Gate:
    """A quantity that an entry must reach."""

    name: str
    value: float
    least: float


@dataclass(frozen=True)
class Measured:
    """What was found of an entry."""

    value: float
    baseline: float
    gates: tuple[Gate, ...]
    ci95: tuple[float, float] | None = None
    note: str = ""


@dataclass(frozen=True)
class Entry:
    """One side: its source, its data, and what it is called in messages."""

    track: Track
    division: str
    source: bytes
    data: bytes
    path: str

    @classmethod
    def read(cls, track: Track, division: str, folder: Path) -> Entry:
        """Return the entry in `folder`."""
        data = folder / track.weights
        found = data.read_bytes() if data.is_file() else b""
        source = (folder / track.source).read_bytes()
        return cls(track, division, source, found, f"entry/{track.source}")

    @classmethod
    def baseline(cls, track: Track) -> Entry:
        """Return the course's own entry, which stands on the student's framework here."""
        data = given.packed() if track.data == "either" else b""
        source = (BASELINES / track.source).read_bytes()
        return cls(track, "closed", source, data, f"baseline/{track.source}")

    def gates(self, **found: float) -> tuple[Gate, ...]:
        """Hold what was `found` against what the division asks for."""
        least = self.track.divisions[self.division]
        return tuple(Gate(name, found[name], least[name]) for name in least)

    def call(self, name: str) -> Callable:
        """Import the entry anew and return its function `name`; raises Refused."""
        module = ModuleType("entry")
        sys.modules["entry"] = module
        with self.answering("cannot be imported: "):
            exec(compile(self.source, self.path, "exec"), module.__dict__)
        function = getattr(module, name, None)
        if not callable(function):
            raise Refused(f"{self.path} has no function `{name}`: define it")
        return function

    @contextmanager
    def answering(self, what: str = "") -> Iterator[None]:
        """Turn whatever the entry raises into one line that says where."""
        try:
            yield
        except Refused:
            raise
        except (Exception, SystemExit) as error:
            frames = traceback.extract_tb(error.__traceback__)
            own = [one for one in frames if one.filename == self.path]
            where = f"{self.path}:{own[-1].lineno}" if own else self.path
            said = " ".join(f"{type(error).__name__}: {error}".split())
            raise Refused(f"{where}: {what}{said:.200}") from None


def checked(answer: object, count: int) -> np.ndarray:
    """Return logits (count, 10); refuse another shape, no floats, and what is not finite."""
    if not isinstance(answer, np.ndarray) or answer.shape != (count, 10):
        came = f"shape {answer.shape}" if isinstance(answer, np.ndarray) else type(answer).__name__
        raise Refused(f"expected logits of shape ({count}, 10), got {came}")
    if answer.dtype.kind != "f" or not np.isfinite(answer).all():
        raise Refused(f"expected finite floats as logits, got others, in {answer.dtype}")
    return answer


def featherweight(entry: Entry) -> Measured:
    """Weigh an entry, exactly, and let it read digits."""
    try:
        weight = weigh(entry.source, entry.data)
    except (SyntaxError, ValueError) as error:
        raise Refused(f"{entry.path} is not Python: {error}") from None
    base = Entry.baseline(entry.track)
    rng = np.random.default_rng(SEED)
    images, labels = draws.hidden_digits(DIGITS, rng)
    found = {"accuracy": float((_answers(entry, images).argmax(axis=1) == labels).mean())}
    if "kinship" in entry.track.divisions[entry.division]:
        noise = rng.random((NOISE, images.shape[1]), np.float32)
        found["kinship"] = kinship(_answers(entry, noise), noise)
    parts = f"{weight.data} of data, {weight.literals} of literals, {weight.extra} of code"
    total = weigh(base.source, base.data).total
    return Measured(weight.total, total, entry.gates(**found), note=parts)


def kinship(logits: np.ndarray, images: np.ndarray) -> float:
    """Return how much `logits` go with the given network's: their correlation."""
    own, others = logits, given.logits(given.digits(), images)
    if not np.ptp(own, axis=0).any():
        return 0.0
    return float(np.corrcoef((own - own.mean(0)).ravel(), (others - others.mean(0)).ravel())[0, 1])


def _answers(entry: Entry, images: np.ndarray) -> np.ndarray:
    load, answers = entry.call("load"), []
    for batch in np.split(images, range(BATCH, len(images), BATCH)):
        with entry.answering():
            answers.append(checked(load(entry.data)(batch), len(batch)))
    return np.concatenate(answers).astype(np.float64)


def sprint(entry: Entry) -> Measured:
    """Let an entry and the baseline take turns, alone and in batches; check every answer."""
    stream, shares, columns = draws.Stream(np.random.default_rng(SEED)), [], []
    for batch in BATCHES:
        right = []
        sides = [_forward(one) for one in (Entry.baseline(entry.track), entry)]
        with entry.answering():
            columns.append(_turns(entry, sides, stream, batch, right))
        shares.append(float(np.mean(right)))
    (gate,) = entry.track.divisions[entry.division]
    pairs = np.stack(columns, axis=1)
    return Measured(
        speedup(pairs), 1.0, entry.gates(**{gate: min(shares)}), interval(pairs, speedup)
    )


def _forward(entry: Entry) -> Callable[[np.ndarray], np.ndarray]:
    load = entry.call("load")
    weights = {name: array.copy() for name, array in given.digits().items()}
    with entry.answering():
        return load(weights, entry.data) if entry.data else load(weights)


def _turns(entry, sides, stream, batch, right) -> np.ndarray:
    """Return the CPU seconds of one answer in each turn, (turns, 2): baseline, entry.

    Blocks of both are equally long; each question is new, and copying an answer away is timed.
    """
    calls = [1, 1]
    for side, forward in enumerate(sides):
        for _ in range(8):  # until a block is long enough, or as many calls as are allowed
            seconds, _, answers = _block(forward, stream, calls[side], batch)
            if seconds >= BLOCK_S / 2 or calls[side] >= MOST_CALLS:
                break
            calls[side] = min(MOST_CALLS, 4 * calls[side])
        calls[side] = int(np.clip(calls[side] * BLOCK_S / max(seconds, 1e-9), 1, MOST_CALLS))
    times = np.empty((BLOCKS, 2))
    for turn in range(BLOCKS):
        for side in (0, 1) if turn % 2 == 0 else (1, 0):
            seconds, (images, labels), answers = _block(sides[side], stream, calls[side], batch)
            times[turn, side] = seconds / calls[side]
            if side == 1:
                flat = images.reshape(-1, images.shape[-1])
                if entry.division == "closed":
                    labels = given.logits(given.digits(), flat).argmax(axis=1)
                right.extend(answers.reshape(-1, 10).argmax(axis=1) == labels)
    return times


def _block(forward, stream, calls: int, batch: int):
    images, labels = stream.draw(calls * batch)
    questions = images.reshape(calls, batch, -1)
    checked(forward(questions[0].copy()), batch)
    answers = np.empty((calls, batch, 10), np.float32)
    gc.disable()
    began = time.process_time()
    for question, place in zip(questions, answers, strict=True):
        place[...] = forward(question)
    seconds = time.process_time() - began
    gc.enable()
    checked(answers.reshape(-1, 10), calls * batch)
    return seconds, (questions, labels), answers


def speedup(pairs: np.ndarray) -> float:
    """Return how many times faster the entry is, of pairs (turns, batches, 2): a geometric mean."""
    medians = np.median(pairs, axis=0)
    return float(np.exp(np.log(medians[:, 0] / medians[:, 1]).mean()))


def interval(samples: np.ndarray, statistic: Callable) -> tuple[float, float]:
    """Return the middle 95 % of a statistic over resamples."""
    rng = np.random.default_rng(SEED)
    rows = (rng.integers(len(samples), size=len(samples)) for _ in range(RESAMPLES))
    low, high = np.percentile([statistic(samples[row]) for row in rows], [2.5, 97.5])
    return float(low), float(high)


def target(entry: Entry) -> Measured:
    """Train the entry and the baseline on the same draws, five seeds, in turn."""
    rng, mine, base, worst = np.random.default_rng(SEED), [], [], 1.0
    least = entry.track.divisions[entry.division]["accuracy"]
    for seed in range(RUNS):
        lesson = draws.lesson(rng)
        seconds, accuracy = _train(entry, lesson, seed, least)
        mine.append(seconds)
        base.append(_train(Entry.baseline(entry.track), lesson, seed, least)[0])
        worst = min(worst, accuracy) if np.isfinite(seconds) else worst
        failed = int(np.isinf(mine).sum())
        if failed > LOST:
            raise Refused(f"{failed} of {seed + 1} seeds failed, one may: {TARGET:.0%} was missed")
    found = np.array(mine)
    limits = interval(np.minimum(found, found[np.isfinite(found)].max()), middle)
    return Measured(middle(found), middle(np.array(base)), entry.gates(accuracy=worst), limits)


def middle(seconds: np.ndarray) -> float:
    """Return the mean without the best and the worst: [9, 1, 2, 3, 4] -> 3."""
    return float(np.sort(seconds)[1:-1].mean())


def _train(entry: Entry, lesson, seed: int, least: float) -> tuple[float, float]:
    """Return the CPU seconds to the target, infinite if it is missed, and the hidden accuracy."""
    train, spent = entry.call("train"), 0.0
    began = time.process_time()
    with entry.answering():
        states = iter(train(lesson.images.copy(), lesson.labels.copy(), seed))
    spent += time.process_time() - began
    for _ in range(JUDGED):
        began = time.process_time()
        with entry.answering():
            state = next(states, None)
        spent += time.process_time() - began
        if state is None:
            break
        if _accuracy(state, lesson.validation) >= TARGET:
            accuracy = _accuracy(state, lesson.hidden)
            return (spent if accuracy >= least else np.inf), accuracy
    return np.inf, 0.0


def _accuracy(state: object, examples: tuple[np.ndarray, np.ndarray]) -> float:
    shapes = {k: np.shape(v) for k, v in state.items()} if isinstance(state, dict) else state
    if shapes != given.SHAPES:
        raise Refused(f"expected weights {given.SHAPES}, got {str(shapes):.100}")
    images, labels = examples
    return float((given.logits(state, images).argmax(axis=1) == labels).mean())


MEASURES = {"featherweight": featherweight, "sprint": sprint, "target": target}


def main(track: str, division: str, folder: str, result: str) -> None:
    """Measure, and write what came of it."""
    chosen = tracks()[track]
    try:
        entry = Entry.read(chosen, division, Path(folder))
        found = asdict(MEASURES[track](entry))
    except Refused as refusal:
        found = {"refused": str(refusal)}
    Path(result).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
