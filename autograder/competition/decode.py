"""Track E: the CPU time in which the given GPT writes on, letter by letter the likeliest."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from assignments.competition import language
from autograder.competition import probes, texts, writer
from autograder.competition.arena import Arena, Gate, Outcome, Part
from autograder.competition.measuring import Course, compare
from autograder.competition.refusal import Refused
from autograder.milestones import travelling

MARGIN = 1e-3  # by which each letter must be the likeliest, or rounding decides
FLOP = 2 * language.WRITTEN * sum(w.size for w in language.weights().values() if w.ndim == 2)
FLOPS_PER_S = 4e11  # more than one core of today's reaches in float32
MOST_DRAWN = 64  # prompts at once


class Writing:
    """Prompts that nobody knows, and how the given GPT goes on."""

    def __init__(
        self,
        rng: np.random.Generator,
        weights: Callable[[], Mapping[str, np.ndarray]] = language.weights,
    ):
        """Draw from the secret `rng`, and write with `weights`."""
        self._rng, self._weights = rng, weights()
        self._right: dict[bytes, np.ndarray] = {}

    def draw(self, count: int) -> np.ndarray:
        """Return prompts (count, PROMPT) whose continuations leave no doubt."""
        self._right, prompts = {}, []
        while len(prompts) < count:
            missing = count - len(prompts)
            drawn = self._prompts(min(missing + 1 + missing // 8, MOST_DRAWN))  # most leave none
            written, margins = writer.continued(self._weights, drawn, language.WRITTEN)
            for one in np.flatnonzero(margins > MARGIN):
                self._right[drawn[one].tobytes()] = written[one]
                prompts.append(drawn[one])
        return np.stack(prompts[:count])

    def check(self, prompts: np.ndarray, answers: np.ndarray) -> None:
        """Refuse the first answer that is not the reference's, letter by letter."""
        for prompt, answer in zip(prompts, answers, strict=True):
            wrong = np.flatnonzero(answer != self._right[prompt.tobytes()])
            if len(wrong):
                place = f"the first {wrong[0]} of {language.WRITTEN} are" if wrong[0] else "none is"
                raise Refused(f"greedy letters are not the reference's: {place} right")

    def _prompts(self, count: int) -> np.ndarray:
        """Return pieces of the hidden text, a letter of each replaced so that none is known."""
        text = texts.hidden()
        starts = self._rng.integers(len(text) - language.PROMPT, size=(count, 1))
        prompts = text[starts + np.arange(language.PROMPT)]
        where = self._rng.integers(language.PROMPT, size=count)
        prompts[np.arange(count), where] = self._rng.integers(len(language.LETTERS), size=count)
        return prompts


def judge(arena: Arena) -> Outcome:
    """Measure an entry of this track; raises Refused."""
    writing = Writing(arena.rng)
    course = Course(
        name="decode",
        probe=travelling(probes.decode),
        inputs=lambda entry: {"weights": language.weights()},
        draw=writing.draw,
        answer=np.empty(language.WRITTEN, np.int64),
        check=writing.check,
        floor_s=FLOP / FLOPS_PER_S,
        is_secret=True,
    )
    ratio = compare(arena.opponent(1), arena.contender(0), course, arena.effort)
    base_speed, speed = (language.WRITTEN / seconds for seconds in ratio.seconds)
    return Outcome(
        value=ratio.value,
        ci95=ratio.ci95,
        baseline=1.0,
        gates=(Gate("identical", 1.0, arena.entry.gates["identical"]),),
        noisy=ratio.noisy,
        parts=(Part("letters", speed, "letters/s", base_speed, "higher"),),
    )
