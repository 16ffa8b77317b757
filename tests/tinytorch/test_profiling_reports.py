"""What a profile hands on: a table, JSON, a trace that viewers open, a picture of the roof."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest

import tinytorch
from tinytorch import profiling
from tinytorch.layers import Linear, Sequential
from tinytorch.profiling import Machine, Profiler, Row, roofline
from tinytorch.tensor import Tensor, randn

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def profile():
    """A training step of a small model."""
    model = Sequential(Linear(4, 8), tinytorch.ReLU(), Linear(8, 3))
    profile = Profiler()
    with profile:
        loss = tinytorch.cross_entropy(model(randn(5, 4)), Tensor([0, 1, 2, 0, 1]))
        with profile.region("backward"):
            loss.backward()
    return profile


def test_a_profile_is_json(profile, tmp_path):
    """What is read again is what was written, and the sums are those of the rows."""
    path = tmp_path / "step.json"
    profile.save(path)
    read = json.loads(path.read_text())
    assert read == profile.to_dict()
    assert read["schema"] == "tinytorch-profile/1"
    assert read["flops"] == sum(row["flops"] for row in read["operations"])
    assert read["peak_bytes"] == max(row["peak"] for row in read["operations"])
    assert [region["name"] for region in read["regions"]] == ["backward"]


def test_a_trace_can_be_opened_by_a_viewer(profile, tmp_path):
    """Every event has what the format asks for, in order of time, and spans of a thread nest."""
    path = tmp_path / "step.trace.json"
    profile.save(path)
    trace = json.loads(path.read_text())
    events = trace["traceEvents"]
    assert [event["ts"] for event in events] == sorted(event["ts"] for event in events)
    assert events[0]["ts"] == 0.0
    for event in events:
        assert isinstance(event["name"], str) and isinstance(event["pid"], int)
        if event["ph"] == "X":
            assert event["dur"] >= 0 and isinstance(event["tid"], int)
        else:
            assert event["ph"] == "C" and all(n >= 0 for n in event["args"].values())
    ends = []
    for event in (e for e in events if e["ph"] == "X"):
        while ends and event["ts"] >= ends[-1]:
            ends.pop()
        end = event["ts"] + event["dur"]
        assert not ends or end <= ends[-1] + 1e-6  # it ends within what it began in
        ends.append(end)


def test_the_table_shows_every_row_in_columns(profile):
    """Names on the left, numbers on the right, of one width."""
    lines = profile.table().splitlines()
    assert len(lines) == 1 + len(profile.by_operation())
    assert lines[0].split() == "calls FLOP moved allocated peak FLOP/B time".split()
    assert len({len(line) for line in lines}) == 1
    assert profile.table(profile.by_layer()).splitlines()[1].startswith("Sequential ")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        *((0, "0"), (1, "1"), (999, "999"), (1000, "1 k"), (1.5e6, "1.5 M"), (2.5e-6, "2.5 µ")),
        *((999_499, "999 k"), (999_600, "1 M"), (0.9996, "1"), (-9.996e-4, "-1 m")),
    ],
)
def test_a_number_has_a_prefix(number, text):
    """Three digits and a letter can be compared at a glance."""
    assert profiling.si(number) == text


def test_the_roofline_is_a_picture_of_its_own():
    """Well-formed, with a point and a name for each row that computes, moves and takes time."""
    rows = [
        Row("a<b", 1, 1000, 100, 0, 0, 1e-6),
        Row("view", 1, 0, 0, 0, 0, 1e-6),
        Row("c&d", 1, 50, 100, 0, 0, 1e-6),
        Row("short", 1, 50, 100, 0, 0, 0.0),
    ]
    tree = ElementTree.fromstring(roofline(rows, Machine(1e10, 1e9)))
    svg = "{http://www.w3.org/2000/svg}"
    assert len(tree.findall(f"{svg}circle")) == 2
    texts = [node.text for node in tree.findall(f"{svg}text")]
    assert {"a<b", "c&d"} <= set(texts)
    for circle in tree.findall(f"{svg}circle"):
        assert 0 < float(circle.get("cx")) < 640 and 0 < float(circle.get("cy")) < 400
    ElementTree.fromstring(roofline([], Machine(1e10, 1e9)))


def test_a_machine_is_measured_by_its_fastest_run():
    """2·64³ FLOPs in 0.5 s, and 16·64²·4 bytes there and back in 0.25 s, of a clock of our own."""
    times = iter(np.cumsum([0, 1, 1, 0.5, 1, 2, 1, 1, 1, 0.25, 1, 1]).tolist())
    machine = profiling.measure_machine(64, repeat=3, clock=lambda: next(times))
    assert machine == (2 * 64**3 / 0.5, 2 * 16 * 64 * 64 * 4 / 0.25)
    assert machine.ridge == pytest.approx(machine.flops_per_second / machine.bytes_per_second)


def test_a_coarse_clock_is_waited_for():
    """It moves at every fifth reading: work that it does not see is done again until it does."""
    readings = iter(range(10**6))
    machine = profiling.measure_machine(8, repeat=2, clock=lambda: next(readings) // 5)
    assert machine.flops_per_second == 2 * 8**3 * 5  # five times within a second, at best
    with pytest.raises(RuntimeError, match="the clock stands still, at 7"):
        profiling.measure_machine(1, repeat=1, clock=lambda: 7)


def test_losses_cost_their_softmax():
    """Log-softmax is 5 for each of 12 numbers; then a label's own is negated and averaged."""
    x, target = randn(3, 4), Tensor([0, 1, 2])
    for compute, flops in (
        (lambda: tinytorch.cross_entropy(x, target), 60 + 6),
        (lambda: tinytorch.mse_loss(x, x), 3 * 12),
    ):
        with Profiler() as profile:
            compute()
        assert profile.flops == flops
