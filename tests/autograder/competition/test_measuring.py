"""What holds an honest ratio up: the kernel's clock, a worker at rest, a floor, intervals."""

from __future__ import annotations

import time

import numpy as np
import pytest

from autograder.competition import featherweight, measuring, sprint
from autograder.competition.arena import Outcome
from autograder.competition.lane import Lane
from autograder.competition.measuring import Effort, Ratio, interval
from autograder.competition.refusal import Refused
from autograder.milestones import travelling
from autograder.sandbox import StudentError
from tests.autograder.competition.arena import QUICK, judged
from tests.submissions.competition import entries


def doubled():
    """Answer with twice what is asked."""
    return lambda question: 2 * question


def broken():
    """Answer once, then fail."""
    asked = []

    def answer(question):
        asked.append(1)
        return question if len(asked) < 3 else 1 / 0

    return answer


QUESTION = np.zeros((2, 3), np.float32)


def turned():
    """Answer with a view that is not contiguous."""
    return lambda question: question.T


def closing():
    """Close the question that it was asked, and answer."""

    def answer(question):
        question.setflags(write=False)
        return 2 * question

    return answer


def streaming(box, probe, question=QUESTION):
    lane = Lane(box.branch({}).worker())
    lane.worker.stream(travelling(probe), {}, question, question)
    return lane


def test_a_stream_answers_array_by_array(box):
    """Each answer is to the question before it."""
    questions = np.arange(30, dtype=np.float32).reshape(5, 2, 3)
    with streaming(box, doubled) as lane:
        answers, span = lane.block(questions, QUESTION)
    assert np.array_equal(answers, 2 * questions)
    assert 0 < span.cpu_s < span.wall_s < 5


def test_a_stream_takes_arrays_larger_than_a_pipe_holds_and_any_layout(box):
    """A megabyte comes in pieces; a view is copied before it is sent."""
    questions = np.arange(2 << 18, dtype=np.float32).reshape(2, 512, 512)
    with streaming(box, turned, questions[0]) as lane:
        answers, _ = lane.block(questions, questions[0])
    assert np.array_equal(answers, questions.transpose(0, 2, 1))


def test_a_stream_goes_on_where_a_question_was_closed(box):
    """The memory of questions is the worker's, whatever the entry does to its array."""
    questions = np.arange(30, dtype=np.float32).reshape(5, 2, 3)
    with streaming(box, closing) as lane:
        answers, _ = lane.block(questions, QUESTION)
    assert np.array_equal(answers, 2 * questions)


def test_an_error_ends_a_stream_and_is_told(box):
    """The error comes as from any other request."""
    with streaming(box, broken) as lane, pytest.raises(StudentError, match="ZeroDivisionError"):
        lane.block(np.zeros((5, 2, 3), np.float32), QUESTION)


def test_the_clock_of_a_stopped_worker_stands_still(box):
    """It is the kernel's, and counts from the worker's first breath."""
    with streaming(box, doubled) as lane:
        lane.block(np.zeros((5, 2, 3), np.float32), QUESTION)
        before = lane.cpu_s()
        time.sleep(0.02)
        assert lane.cpu_s() == before > 0
        lane.listen()
        lane.block(np.zeros((5, 2, 3), np.float32), QUESTION)
        assert lane.idle_s < 0.002


class Stub(Lane):
    """A lane whose clocks say what they are told."""

    def __init__(self, busy_s, wall_s, idle_s):
        self.busy_s, self.wall_s, self.idle_s = busy_s, wall_s, idle_s
        self._stopped, self._left_at = False, 0.0

    def cpu_s(self):
        return 0.0

    def _stop(self):
        pass


@pytest.mark.parametrize(
    ("times", "why"),
    [
        ((1.0, 1.0, 0.5), "works while the other runs: 500.0 ms beside 1000.0 ms"),
        ((2.0, 1.0, 0.0), "uses 2.0 threads, expected one"),
    ],
)
def test_work_that_is_not_one_threads_own_is_refused(times, why):
    """By the kernel's account of what was used, when."""
    with pytest.raises(Refused, match=why):
        Stub(*times).listen()


def test_a_time_below_the_arithmetic_is_refused(box, monkeypatch):
    """Whoever is faster than the processor has not computed it."""
    monkeypatch.setattr(sprint, "FLOPS_PER_S", 1e6)
    result = judged(entries.gold("sprint"), "sprint", box)
    assert result.status == "refused"
    assert result.reason.startswith("impossibly fast: an answer in")


def test_a_wide_interval_is_noisy():
    """Wider than 3 % of the ratio."""
    spread = np.stack([np.linspace(0.8, 1.2, 30), np.ones(30)], axis=1).reshape(5, 6, 2)
    assert Ratio(spread).is_wide(0.03)
    assert not Ratio(1 + (spread - 1) / 100).is_wide(0.03)


def test_the_interval_covers_what_workers_differ_by():
    """Eight workers differ by 2 % all their life: most intervals still hold the truth, which is 1.

    One that takes all their blocks for independent misses it in half of the runs.
    """
    rng, held, naive = np.random.default_rng(0), [], []
    for _ in range(60):
        worker = 1 + 0.02 * rng.standard_normal((8, 1, 1)) * [0, 1]
        pairs = worker + 0.01 * rng.standard_normal((8, 12, 2))
        for found, shape in ((held, (8, 12, 2)), (naive, (96, 1, 2))):
            low, high = interval([pairs.reshape(shape)], 60)
            found.append(low < 1 < high)
    assert np.mean(held) >= 0.85
    assert np.mean(naive) < 0.65


def test_a_noisy_result_runs_again_twice_and_says_so(box, monkeypatch):
    """No interval is narrower than nothing."""
    effort = Effort(workers=1, blocks=2, block_s=0.001, width=0.0, reruns=2)
    runs, cores = [], measuring.cores
    monkeypatch.setattr(measuring, "cores", lambda count: runs.append(count) or cores(count))
    result = judged(entries.gold("sprint"), "sprint", box, effort)
    assert result.outcome.noisy
    assert len(runs) == 2 * 3


def test_every_timed_answer_is_checked(box):
    """As many answers agree as were timed, and more: the warm-up's too."""
    found, timed = [], []
    check, add = sprint.Agreement.check, measuring._Times.add

    def counting(self, questions, labels, answers):
        found.append(len(answers))
        check(self, questions, labels, answers)

    def adding(times, base, mine):
        timed.append(mine[0])
        add(times, base, mine)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sprint.Agreement, "check", counting)
        patch.setattr(measuring._Times, "add", adding)
        judged(entries.gold("sprint"), "sprint", box)
    assert sum(found) > sum(timed) > 2 * QUICK.blocks


def test_an_interval_holds_the_value_that_it_is_of(monkeypatch):
    """The board refuses any other, and resamples may all miss it."""
    found = Outcome(2.0, 4.0, (), ci95=(3.0, 3.5))
    monkeypatch.setattr(featherweight, "judge", lambda arena: found)
    result = judged(entries.gold("featherweight"), "featherweight", None)
    assert result.outcome.ci95 == (2.0, 3.5)
