"""Two models in use: what is counted, by which clock, and how nobody gets round it."""

from __future__ import annotations

import importlib
import re

import numpy as np
import pytest

from autograder import deployment
from autograder.competition.lane import Lane, Span
from autograder.intake import receive
from autograder.milestones import disguise, find, grade_milestone
from autograder.sandbox import Limits, Sandbox, Worker
from autograder.suite import reference_path
from autograder.trainee import travelling
from milestones.deployment import Deployment, Service, require_arrays, weigh
from milestones.problem import Sequences
from tests.autograder.submit import COURSE
from tests.submissions import build

MLPERF = importlib.import_module("milestones.06_2018_mlperf")
GPT = MLPERF.GPT


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(Limits(wall_s=60, cpu_s=120)) as opened:
        yield opened


@pytest.fixture
def grade(sandbox, tmp_path):
    """Return a function that grades the GPT of a reference with code at the end of a module."""

    def call(module="memoization", code=""):
        files = {one.source: reference_path(one).read_bytes() for one in COURSE.assignments}
        files[f"tinytorch/{module}.py"] += f"\n\n{code}\n".encode()
        with receive(build.folder(tmp_path / "handed in", files)) as submission:
            found = grade_milestone(
                submission, 6, course=COURSE, seed=5, sandbox=sandbox, runs=1, only=[GPT]
            )
        return {answer.measure: answer for answer in found.answers}

    return call


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands where a test puts it: seconds of the old model, and of the new."""
    stands = {True: 1.0, False: 0.25}

    class Told(Lane):
        def block(self, questions, answer):
            answers, _ = super().block(questions, answer)
            return answers, Span(stands[self.worker in opponents] * len(questions), 0.0)

    opponents, real = set(), deployment.Trainee.opponent

    def opponent(trainee):
        opponents.add(worker := real(trainee))
        return worker

    monkeypatch.setattr(deployment.Trainee, "opponent", opponent)
    monkeypatch.setattr(deployment, "Lane", Told)
    return stands


def small(**more):
    """A deployment of two sequences to reverse, of which nothing runs."""
    rows = np.array([[1, 2], [3, 4]])
    task = Sequences(rows, rows[:, ::-1].copy(), rows, rows[:, ::-1].copy())
    unused = {"compress": None, "serve": None, "fast": ""}
    given = {"task": task, "begin": {"w": np.ones((2, 3), np.float32)}, "batch": 1, **unused}
    return Deployment(**given | more)


def service(right=(2, 2), nbytes=(100, 20), seconds=((1.0, 0.25),)):
    """What was seen of two models, of which so many answers were right."""
    answers = small().task.answers
    predicted = tuple(np.where(np.arange(2)[:, None] < count, answers, 0) for count in right)
    return Service(predicted, nbytes, np.array(seconds))


def test_a_share_is_of_what_the_model_was_as_trained():
    """A fifth of the bytes, a quarter of the time by the medians, half of the answers lost."""
    seen = service(right=(2, 1), seconds=[(1.0, 0.25), (1.0, 0.25), (1.0, 99.0)])
    shares = {
        name: small().measure(name, small().require(seen))
        for name in ("accuracy", "accuracy lost", "of the bytes", "of the time")
    }
    assert shares == {
        "accuracy": 1.0,
        "accuracy lost": 0.5,
        "of the bytes": 0.2,
        "of the time": 0.25,
    }
    assert small().measure("accuracy lost", service(right=(1, 2))) == 0, "more right is no loss"


def test_a_point_is_a_point():
    """98 of 100 where 99 were right: rounding of floats does not decide."""
    rows = np.ones((100, 1), np.int64)
    one = small(task=Sequences(rows, rows, rows, rows))
    predicted = tuple((np.arange(100) < count).astype(np.int64)[:, None] for count in (99, 98))
    lost = one.measure("accuracy lost", Service(predicted, (1, 1), np.ones((1, 2))))
    gates = [gate for gate in MLPERF.MILESTONE.gates if gate.measure == "accuracy lost"]
    assert lost == 0.01 and all(gate.holds(lost) for gate in gates)


@pytest.mark.parametrize(
    ("arrays", "nbytes"),
    [
        ({"w": np.ones((2, 3), np.float32)}, 24 + 1 + 16),
        ({"w": np.ones((2, 3), np.int8)}, 6 + 1 + 16),
        ({"w" * 1000: np.ones(0, np.int8)}, 1000 + 8),
        ({"\ud800": np.ones((0, 77, 88), np.int8)}, 3 + 24),
        ({"w": np.broadcast_to(np.float32(0), (10, 10))}, 400 + 1 + 16),
    ],
    ids=["float32", "int8", "in a name", "in a shape", "one number, a hundred times"],
)
def test_a_model_weighs_all_that_it_can_hide_in(arrays, nbytes):
    """Numbers, names, and shapes."""
    assert weigh(arrays) == nbytes


@pytest.mark.parametrize("found", [None, [], {}, {"w": [1.0]}, {"w": {}}, {1: np.ones(1)}])
def test_a_model_is_arrays_and_nothing_else(found):
    """What is not counted does not count."""
    with pytest.raises(ValueError, match="expected"):
        require_arrays(found)


@pytest.mark.parametrize(
    "arrays",
    [
        {"w": np.ones((2, 4), np.float32)},
        {"w": np.ones((2, 3))},
        {"v": np.ones((2, 3), np.float32)},
        {"w": np.ones((2, 3), np.float32), "ballast": np.ones(10**6, np.float32)},
    ],
    ids=["wider", "float64", "another name", "ballast"],
)
def test_what_was_to_be_trained_cannot_be_made_larger(arrays):
    """Or anything would be small beside it."""
    with pytest.raises(ValueError, match="arrays of the model as it began"):
        small().require_trained(arrays)


def test_training_and_compressing_are_told_no_test(monkeypatch, grade):
    """Workers that get weights see tests, each once, and those that make weights see none."""
    asked, told, drawn = [], [], []
    exchange, run, real = Worker.exchange, Worker.run, deployment.in_use
    stream = Worker.stream

    def begin(worker, probe, inputs, question, answer):
        asked.append((worker.pid, question.tobytes()))  # it is sent: only its form may be known
        return stream(worker, probe, inputs, question, answer)

    def note(worker, question, answer):
        asked.append((worker.pid, question.tobytes()))
        return exchange(worker, question, answer)

    def keep(trainee, task, *rest):
        drawn.append(task)
        return real(trainee, task, *rest)

    monkeypatch.setattr(Worker, "exchange", note)
    monkeypatch.setattr(Worker, "stream", begin)
    monkeypatch.setattr(
        Worker,
        "run",
        lambda worker, probe, inputs: told.append(inputs) or run(worker, probe, inputs),
    )
    monkeypatch.setattr(deployment, "in_use", keep)
    assert all(answer.status == "passed" for answer in grade().values())
    (task,) = drawn
    tests, known = ({row.tobytes() for row in rows} for rows in (task.task.tests, task.task.inputs))
    rows = [row for inputs in told for row in inputs["inputs"]]
    assert len(told) == 2 and not [row for row in rows if row.tobytes() in tests - known]
    assert "tests" not in told[1] and told[0]["tests"].tobytes() in known
    workers = {pid for pid, _ in asked}
    for worker in workers:
        seen = [row for pid, row in asked if pid == worker]
        fresh = [row for row in seen if row in {one.tobytes() for one in task.questions}]
        assert len(fresh) == len(set(fresh)) == len(task.questions)
    assert len(workers) == 3


def test_the_opponent_gets_nothing_of_the_student_s(monkeypatch, grade):
    """Its weights are those before any training, and its modules the reference's."""
    served, opponents = {}, []
    stream, opponent = Worker.stream, deployment.Trainee.opponent

    def note(worker, probe, inputs, *rest):
        served[worker] = inputs
        return stream(worker, probe, inputs, *rest)

    def keep(trainee):
        opponents.append(opponent(trainee))
        return opponents[-1]

    monkeypatch.setattr(Worker, "stream", note)
    monkeypatch.setattr(deployment.Trainee, "opponent", keep)
    assert all(answer.status == "passed" for answer in grade().values())
    (worker,) = opponents
    begin = MLPERF.draw(np.random.default_rng([5, 6, 0]))[GPT].begin
    assert served[worker]["plain"] is True
    assert weigh(served[worker]["weights"]) == weigh(begin)
    assert all((served[worker]["weights"][name] == begin[name]).all() for name in begin)


@pytest.mark.parametrize(("share", "status"), [(0.5, "passed"), (0.51, "failed")])
def test_the_gate_on_time_is_where_it_is_said(clock, grade, share, status):
    """By a clock that a test holds: half of the time passes, more does not."""
    clock[False] = share
    answer = grade()["of the time"]
    assert (answer.value, answer.status) == (share, status)


def test_a_slow_model_of_the_student_s_own_is_no_measure(grade):
    """It writes fifty times as slowly as it could until it is cached, and gains nothing by that."""
    slow = (
        "plain = GPT.generate\n"
        "def generate(self, ids, *given, **more):\n"
        "    for _ in range(49 if len(ids) == 50 else 0):\n"
        "        plain(self, ids, *given, **more)\n"
        "    return plain(self, ids, *given, **more)\n"
        "GPT.generate = generate"
    )
    answers = grade("transformers", slow)
    assert answers["accuracy"].status == "passed"
    assert answers["of the time"].value > 0.03


def test_a_cache_that_is_none_is_not_faster(grade):
    """As right as ever, and in half of the time by no clock."""
    answers = grade(
        "memoization",
        "def generate_cached(model, ids, length, temperature, folded):\n"
        "    model.generate(ids, length, temperature=temperature)\n"
        "    return model.generate(ids, length, temperature=temperature)",
    )
    assert answers["accuracy lost"].value == 0
    assert answers["of the time"].status == "failed"


REFUSED = {
    "weights that are none": (
        "quantization",
        "right = quantize_array\n"
        "def quantize_array(x, *given, **more):\n"
        "    return right(x, *given, **more)._replace(values=np.empty((0, 99), np.int8))",
        "ValueError in tinytorch/",
    ),
    "a model with ballast": (
        "layers",
        "lean = Module.state_dict\n"
        "def state_dict(self, prefix=''):\n"
        "    state = lean(self, prefix)\n"
        "    ballast = Tensor(np.ones(10**6, np.float32))\n"
        "    return state | ({} if prefix else {'ballast': ballast})\n"
        "Module.state_dict = state_dict",
        "arrays of the model as it began, not so: 'ballast'",
    ),
    "answers that are made when somebody looks": (
        "memoization",
        "class Late(np.ndarray):\n    pass\n"
        "class Written:\n"
        "    def __init__(self, tensor):\n        self.tensor = tensor\n"
        "    def numpy(self):\n        return self.tensor.data.view(Late)\n"
        "made = generate_cached\n"
        "def generate_cached(*given, **more):\n"
        "    return Written(made(*given, **more))",
        "expected a NumPy array, got Late",
    ),
    "work while the other is on the clock": (
        "memoization",
        "import threading\n"
        "def spin():\n    while True:\n        pass\n"
        "calm = Folded.__init__\n"
        "def restless(self, model):\n"
        "    calm(self, model)\n"
        "    threading.Thread(target=spin, daemon=True).start()\n"
        "Folded.__init__ = restless",
        "works while",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_model_is_refused_for_its_reason(grade, name):
    """No value comes of it, and the reason is known."""
    module, code, why = REFUSED[name]
    answers = grade(module, code).values()
    assert not [answer for answer in answers if answer.value is not None]
    assert [answer.reason for answer in answers if not re.search(why, answer.reason)] == []


def test_all_that_is_measured_can_travel():
    """Compressing and serving use `np`, `tt`, their arguments and what they define themselves."""
    for task in MLPERF.draw(np.random.default_rng(0)).values():
        assert travelling(task.compress) and travelling(task.serve)


def test_every_test_is_asked_and_the_model_to_be_beaten_is_the_reference_s():
    """The questions are all tests in their order; `begin` has what its training returns."""
    assert find(COURSE, 6)[1] is MLPERF.MILESTONE
    for name, one in MLPERF.draw(np.random.default_rng(0)).items():
        assert np.concatenate(one.questions).tobytes() == one.task.tests.tobytes()
        few = one.arguments() | {"inputs": one.task.inputs[:99], "labels": one.task.labels[:99]}
        weights = MLPERF.MILESTONE.training(name)(**few, seed=1, watch=None)["weights"]
        assert one.require_trained(weights) is weights
        turned = disguise(one, np.random.default_rng(1))
        assert turned.begin is one.begin and (turned.task.answers != one.task.answers).any()
