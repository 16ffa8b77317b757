"""Practice of the tracks that read digits: Featherweight, Sprint and Time to target."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from assignments.competition import draws, given
from assignments.competition.answers import logits_fault, state_fault
from assignments.competition.given import kinship, kinship_of_timed, strange
from assignments.competition.pace import (
    DROPPED,
    JUDGED,
    LONGEST_S,
    SEEDS,
    TARGET,
    middle,
    pace,
)
from assignments.competition.practice.entry import SEED, Entry, Measured, Refused
from assignments.competition.practice.turns import (
    interval,
    require_answers,
    speedup,
    take_turns,
)
from assignments.competition.weight import bare, weigh

DIGITS, STRANGE, BATCH = 4000, 2000, 500
BATCHES = (1, 256)
KEPT = 64  # answers of each block that are asked for their kinship


def checked(answer: object, count: int) -> np.ndarray:
    """Return logits (count, 10); refuse another shape, no floats, and what is not finite."""
    if fault := logits_fault(answer, count):
        raise Refused(fault)
    return answer


def featherweight(entry: Entry) -> Measured:
    """Weigh an entry, exactly, and let it read digits."""
    try:
        weight = weigh(entry.source, entry.data)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise Refused(f"{entry.path} is not Python: {error}") from None
    base = Entry.baseline(entry.track)
    rng = np.random.default_rng(SEED)
    images, labels = draws.hidden_digits(DIGITS, rng)
    own, entry = entry, replace(entry, source=bare(entry.source))
    try:
        logits = _answers(entry, images)
    except Refused:
        _answers(own, images)  # what runs has other lines: say where in the own ones, if there too
        raise
    found = {"accuracy": float((logits.argmax(axis=1) == labels).mean())}
    if "kinship" in entry.track.divisions[entry.division]:
        kin = [kinship(logits, images)]
        kin += [kinship(_answers(entry, more), more) for more in strange(images[:STRANGE], rng)]
        found["kinship"] = min(kin)
    total = weigh(base.source, base.data).total
    return Measured(weight.total, total, entry.gates(**found), note=str(weight))


def _answers(entry: Entry, images: np.ndarray) -> np.ndarray:
    forward, answers = entry.load(entry.data), []
    for batch in np.split(images, range(BATCH, len(images), BATCH)):
        with entry.answering():
            answers.append(checked(forward(batch), len(batch)))
    return np.concatenate(answers).astype(np.float64)


class Stream:
    """Batches of digits, and how often an entry is right about them."""

    def __init__(self, batch: int, weights: Mapping[str, np.ndarray] | None):
        """Hold answers against the network of `weights`, or without against the digits."""
        self._stream, self._batch = draws.Stream(np.random.default_rng(SEED)), batch
        self._weights, self._labels = weights, np.empty(0)
        self.right: list[float] = []
        self._kept: list[tuple[np.ndarray, np.ndarray]] = []

    def draw(self, count: int) -> np.ndarray:
        """Return questions (count, batch, 64)."""
        images, self._labels = self._stream.draw(count * self._batch)
        return images.reshape(count, self._batch, -1)

    def check(self, questions: np.ndarray, answers: np.ndarray) -> None:
        """Count what is right; refuse what is no answer."""
        images, wanted = questions.reshape(-1, questions.shape[-1]), self._labels
        logits = checked(answers.reshape(-1, 10), len(images))
        if self._weights:
            wanted = given.logits(self._weights, images).argmax(axis=1)
            self._kept.append((images[:KEPT], logits[:KEPT]))
        self.right.append(float((logits.argmax(axis=1) == wanted).mean()))

    def found(self) -> dict[str, float]:
        """Return by name what a division may ask for."""
        share = float(np.mean(self.right))
        if not self._weights:
            return {"accuracy": share}
        return {"agreement": share, "kinship": kinship_of_timed(self._kept, self._weights)}


def sprint(entry: Entry) -> Measured:
    """Let an entry and the baseline take turns, alone and in batches; check every answer."""
    columns, found = [], []
    is_closed = entry.division == "closed"
    weights = given.altered(np.random.default_rng(SEED)) if is_closed else given.digits()
    for batch in BATCHES:
        stream = Stream(batch, weights if is_closed else None)
        both, like = (Entry.baseline(entry.track), entry), np.empty((batch, 10), np.float32)
        sides = [_forward(one, weights) for one in both]
        require_answers(both, sides, stream.draw(1)[0], like)
        with entry.answering():
            columns.append(take_turns(sides, stream.draw, stream.check, like))
        found.append(stream.found())
    least = {name: min(one[name] for one in found) for name in found[0]}
    pairs = np.stack(columns, axis=1)
    limits = interval(pairs, speedup)
    return Measured(speedup(pairs), 1.0, entry.gates(**least), limits)


def _forward(entry: Entry, weights: Mapping) -> Callable[[np.ndarray], np.ndarray]:
    weights = {name: array.copy() for name, array in weights.items()}
    return entry.load(weights, entry.data) if entry.data else entry.load(weights)


def target(entry: Entry) -> Measured:
    """Train the entry and the baseline on the same draws, in turn."""
    rng, mine, base, worst = np.random.default_rng(SEED), [], [], 1.0
    least, lost = entry.track.divisions[entry.division]["accuracy"], SEEDS // DROPPED
    for seed in range(SEEDS):
        lesson = draws.lesson(rng)
        seconds, _, accuracy = _train(entry, lesson, seed, least)
        mine.append(seconds)
        base.append(_train(Entry.baseline(entry.track), lesson, seed, least)[:2])
        worst = min(worst, accuracy) if np.isfinite(seconds) else worst
        failed = int(np.isinf(mine).sum())
        if failed > lost:
            why = f"{TARGET:.0%} was missed"
            raise Refused(f"{failed} of {seed + 1} seeds failed, {lost} may: {why}")
    base_s, epochs = np.array(base).T
    factor = pace(base_s, epochs)
    found = factor * np.array(mine)
    limits = interval(np.minimum(found, found[np.isfinite(found)].max()), middle)
    return Measured(middle(found), middle(factor * base_s), entry.gates(accuracy=worst), limits)


def _train(entry: Entry, lesson, seed: int, least: float) -> tuple[float, int, float]:
    """Return the CPU seconds to the target, infinite if missed, how often it asked, and accuracy.

    The accuracy is of the hidden signs.
    """
    train, spent, judged = entry.call("train"), 0.0, 0
    began = time.process_time()
    states = entry.begun(train, lesson.images.copy(), lesson.labels.copy(), seed)
    spent += time.process_time() - began
    while judged < JUDGED and spent < LONGEST_S:
        began = time.process_time()
        with entry.answering():
            if (state := next(states, None)) is not None:
                state = {name: np.asarray(array) for name, array in state.items()}
        spent += time.process_time() - began
        if state is None:
            break
        judged += 1
        if _accuracy(state, lesson.validation) >= TARGET:
            accuracy = _accuracy(state, lesson.hidden)
            return (spent if accuracy >= least else np.inf), judged, accuracy
    return np.inf, judged, 0.0


def _accuracy(state: object, examples: tuple[np.ndarray, np.ndarray]) -> float:
    if fault := state_fault(state):
        raise Refused(fault)
    images, labels = examples
    return float((given.logits(state, images).argmax(axis=1) == labels).mean())


MEASURES = {"featherweight": featherweight, "sprint": sprint, "target": target}
