"""Track B: the CPU time of a network's forward pass, alone and in batches of 256.

In the closed division it is the given one with noise in its weights, which nobody knows before: a
smaller network that was trained beforehand to answer as the given one does is no answer to it. Nor
is one that is taught when the weights are known: its logits have less kinship with theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from assignments.competition import draws, given
from assignments.competition.tracks import percent
from autograder.competition import probes
from autograder.competition.arena import Arena, Gate, Outcome, Part
from autograder.competition.measuring import Course, compare, interval, mean_ratio
from autograder.competition.refusal import Refused
from autograder.milestones import travelling

BATCHES = (1, 256)
FLOPS = 2 * sum(w.size for name, w in given.digits().items() if name.endswith("weight"))
FLOPS_PER_S = 4e11  # more than one core of today's reaches in float32
KEPT = 64  # answers of each block that are asked for their kinship
LEFT_OUT, SEEN = 0.6, 20  # below this a row is no accident, where most are right, seen so often


class Agreement:
    """Counts in how many answers the largest logit is where it must be, in each row of a batch."""

    def __init__(self, division: str, weights: Mapping[str, np.ndarray]):
        """Hold answers against the network of `weights` in `closed`, the digits in `open`."""
        self._division, self._weights = division, weights
        self.right = {batch: np.zeros(batch) for batch in BATCHES}
        self.seen = dict.fromkeys(BATCHES, 0)
        self._kept = {batch: [] for batch in BATCHES}
        self._rng = np.random.default_rng()  # nobody knows which are kept

    def check(self, questions: np.ndarray, labels: np.ndarray, answers: np.ndarray) -> None:
        """Count answers (count, N, 10) to questions (count, N, 64) of these labels (count, N)."""
        truth = labels
        if self._division == "closed":
            truth = given.logits(self._weights, questions).argmax(axis=-1)
        right, batch = answers.argmax(axis=-1) == truth, questions.shape[1]
        self.right[batch] += right.sum(axis=0)
        self.seen[batch] += len(questions)
        if self._division == "closed":
            some = tuple(self._rng.integers(n, size=KEPT) for n in (len(questions), batch))
            self._kept[batch].append((questions[some], answers[some]))

    def share(self) -> float:
        """Return the share of right answers, of the batch size where it is lower."""
        seen = [batch for batch in BATCHES if self.seen[batch]]
        return min(self.right[batch].mean() / self.seen[batch] for batch in seen)

    def kinship(self) -> float:
        """Return the kinship of what was answered, of the batch size where it is lower."""
        timed = filter(None, self._kept.values())
        return min(given.kinship_of_timed(kept, self._weights) for kept in timed)

    def require_every_row(self) -> None:
        """Refuse an entry that answers a part of the batch alone, whose share passes the gate."""
        for batch in BATCHES:
            shares = self.right[batch] / max(self.seen[batch], 1)
            if self.seen[batch] >= SEEN and shares.min() < LEFT_OUT:
                row = int(shares.argmin())
                why = f"row {row} of {batch} is right {percent(shares[row], 0)} of the time"
                raise Refused(f"a part of the batch is not computed: {why}")


def judge(arena: Arena) -> Outcome:
    """Measure an entry of this track; raises Refused."""
    entry, baseline = arena.contender(0), arena.opponent(1)
    is_closed = arena.entry.division == "closed"
    weights = given.altered(arena.rng) if is_closed else given.digits()
    agreement = Agreement(arena.entry.division, weights)
    ratios = []
    for batch in BATCHES:
        course = _course(batch, arena, agreement, weights)
        ratios.append(compare(baseline, entry, course, arena.effort))
        _require(agreement, arena)
    pairs = [ratio.pairs for ratio in ratios]
    return Outcome(
        value=mean_ratio(pairs),
        ci95=interval(pairs),
        baseline=1.0,
        gates=tuple(_gates(agreement, arena)),
        noisy=any(ratio.noisy for ratio in ratios),
        parts=tuple(
            Part(f"batch-{batch}", 1e6 * ratio.seconds[1], "µs", 1e6 * ratio.seconds[0])
            for batch, ratio in zip(BATCHES, ratios, strict=True)
        ),
    )


def _require(agreement: Agreement, arena: Arena) -> None:
    """Refuse early what has missed its gate: nobody waits for the time of a wrong answer."""
    share, *others = _gates(agreement, arena)
    _require_passed(share)
    agreement.require_every_row()  # rows that are left out have no kinship either: say which
    for gate in others:
        _require_passed(gate)


def _require_passed(gate: Gate) -> None:
    if not gate.passed:
        raise Refused(f"{gate.name} {percent(gate.value)}, expected at least {gate.least:.0%}")


def _gates(agreement: Agreement, arena: Arena) -> Iterator[Gate]:
    for name, least in arena.entry.gates.items():
        found = agreement.kinship() if name == "kinship" else agreement.share()
        yield Gate(name, float(found), least)


def _course(
    batch: int, arena: Arena, agreement: Agreement, weights: Mapping[str, np.ndarray]
) -> Course:
    labels, stream = {}, draws.Stream(arena.rng)

    def draw(count: int) -> np.ndarray:
        images, digits = stream.draw(count * batch)
        labels["last"] = digits.reshape(count, batch)
        return images.reshape(count, batch, -1)

    def check(questions: np.ndarray, answers: np.ndarray) -> None:
        agreement.check(questions, labels["last"][: len(questions)], answers)

    return Course(
        name=f"sprint, batch {batch}",
        probe=travelling(probes.sprint),
        inputs=lambda entry: {
            "weights": weights,
            "data": np.frombuffer(entry.data, np.uint8),
        },
        draw=draw,
        answer=np.empty((batch, 10), np.float32),
        check=check,
        floor_s=batch * FLOPS / FLOPS_PER_S,
    )
