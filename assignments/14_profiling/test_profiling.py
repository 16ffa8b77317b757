"""What module 14 must do. Run it with `tito test 14`; the first sentence below a name says why."""

import numpy as np
import pytest

from tinytorch import profiling
from tinytorch.layers import Linear, Module, Sequential, set_caller
from tinytorch.profiling import Machine, Memory, Operation, Profiler, Span, chrome_trace, summarize
from tinytorch.tensor import Tensor, apply, set_runner, zeros

pytestmark = pytest.mark.filterwarnings("error")


class Watch:
    """A clock that goes on when it is told to."""

    def __init__(self):
        """Begin at 0."""
        self.now = 0.0

    def __call__(self):
        """Tell the time."""
        return self.now

    def wait(self, seconds):
        """Let time pass."""
        self.now += seconds


@pytest.mark.task("matmul_flops")
def test_a_product_of_matrices_is_2mkn():
    """(2, 3) @ (3, 5): ten numbers of three products and three sums each; batches multiply that."""
    a, b = np.ones((2, 3)), np.ones((3, 5))
    assert profiling.matmul_flops(a @ b, a, b) == 2 * 2 * 3 * 5
    a = np.ones((7, 2, 3))
    assert profiling.matmul_flops(a @ b, a, b) == 7 * 2 * 2 * 3 * 5
    assert profiling.matmul_flops(np.ones(7), np.ones((7, 3)), np.ones(3)) == 2 * 7 * 3


@pytest.mark.task("matmul_flops")
def test_a_linear_layer_is_a_product_and_a_bias():
    """2 · in for each output of each row, plus one if there is a bias to add."""
    x, weight = np.ones((2, 6, 3)), np.ones((4, 3))
    y = x @ weight.T
    assert profiling.linear_flops(y, x, weight, None) == 12 * 4 * 6
    assert profiling.linear_flops(y, x, weight, np.ones(4)) == 12 * 4 * 7


@pytest.mark.task("matmul_flops")
def test_a_convolution_is_a_product_at_every_place():
    """Each number of the result sees a window of C / groups channels."""
    how = dict(stride=(1, 1), padding=(0, 0), dilation=(1, 1))
    x, y = np.ones((2, 4, 6, 6)), np.ones((2, 8, 4, 4))
    count = profiling.conv2d_flops
    assert count(y, x, np.ones((8, 4, 3, 3)), None, **how, groups=1) == 256 * 2 * 36
    assert count(y, x, np.ones((8, 2, 3, 3)), np.ones(8), **how, groups=2) == 256 * (2 * 18 + 1)


@pytest.mark.task("matmul_flops")
def test_attention_counts_pairs():
    """Score, softmax and value for each pair; causal, query i has i + 1 keys: 1 + 2 + 3 = 6."""
    q, v = np.ones((5, 3, 4)), np.ones((5, 3, 2))
    count = profiling.attention_flops
    assert count(v, q, q, v) == 5 * 9 * (2 * 4 + 5 + 2 * 2) + 60
    assert count(v, q, q, v, bias=np.ones((3, 3))) == 5 * 9 * (2 * 4 + 5 + 2 * 2 + 1) + 60
    assert count(v, q, q, v, is_causal=True) == 5 * 6 * (2 * 4 + 5 + 2 * 2) + 60


@pytest.mark.task("matmul_flops")
def test_a_sum_of_n_numbers_is_n_minus_1_additions():
    """Along an axis of 5, for each of 2 results; nothing is added where nothing is."""
    x = np.ones((2, 5))
    assert profiling.reduction_flops(x.sum(axis=1), x, axis=(1,)) == 8
    assert profiling.reduction_flops(x.sum(), x) == 9
    assert profiling.reduction_flops(np.float32(0), np.ones((0, 3))) == 0


@pytest.mark.task("moved_bytes")
def test_what_is_read_and_written_is_nbytes():
    """Two arrays read, one written; the same array twice is read once; numbers are no memory."""
    a, b = np.ones((2, 3), np.float32), np.ones(3)
    assert profiling.moved_bytes(np.add, a + b, [a, b]) == (24 + 24, 48)
    assert profiling.moved_bytes(np.add, a + a, [a, a]) == (24, 24)
    assert profiling.moved_bytes(np.add, a + 1, [a, 1]) == (24, 24)


@pytest.mark.task("moved_bytes")
def test_a_view_moves_nothing_and_a_lookup_only_what_it_takes():
    """A transposed matrix is the same memory; two rows of a table are two rows."""
    table = np.ones((1000, 4))
    assert profiling.moved_bytes(np.transpose, table.T, [table]) == (0, 0)
    rows = table[np.array([5, 7])]
    (gather,) = [op for op in profiling.GATHERS if op.__name__ == "getitem"]
    assert profiling.moved_bytes(gather, rows, [table]) == (64, 64)


@pytest.mark.task("Memory.track")
def test_memory_comes_and_goes_with_its_array():
    """24 bytes at 1 s; freed at 3 s, when the last view of them is gone."""
    watch = Watch()
    memory, array = Memory(watch), np.ones((2, 3), np.float32)
    watch.wait(1)
    assert memory.track(array) == 24
    view = array[0]
    watch.wait(1)
    del array
    assert memory.changes == [(1.0, 24)]
    watch.wait(1)
    del view
    assert memory.changes == [(1.0, 24), (3.0, -24)]


@pytest.mark.task("Memory.track")
def test_views_count_their_owner_once():
    """A row shows the memory of the whole: 24 bytes are held, and they are held once."""
    memory, array = Memory(), np.ones((2, 3), np.float32)
    assert [memory.track(x) for x in (array[0], array, array.T)] == [24, 0, 0]


@pytest.mark.task("Memory.track")
def test_what_is_freed_may_come_again():
    """Python gives a new array the id of one that died: it is another one all the same."""
    memory = Memory()
    assert [memory.track(np.ones(3)) for _ in range(50)] == [24] * 50
    assert memory.peak() == 24


@pytest.mark.task("Memory.track")
def test_the_timeline_adds_the_changes_up():
    """What is alive is what came less what went."""
    memory = Memory()
    memory.changes = [(0.5, 100), (1.0, 20), (2.5, -100)]
    assert memory.timeline() == [(0.5, 100), (1.0, 120), (2.5, 20)]
    assert memory.peak() == 120


@pytest.mark.task("Profiler.run")
def test_an_operation_leaves_its_costs():
    """Seconds, FLOPs, bytes read, written and new, in the layers that are running."""
    watch = Watch()

    def slow(x):
        watch.wait(2.0)
        return x + 1

    profile = Profiler(watch)
    watch.wait(5)
    profile._stack().append("model")
    x = np.ones((2, 3), np.float32)
    y = profile.run(slow, [x], {})
    (one,) = profile.operations
    assert one[:9] == ("slow", ("model",), 5.0, 2.0, None, 24, 24, 24, 1)
    np.testing.assert_array_equal(y, x + 1)
    profile.run(np.add, [x, y], {})
    assert profile.operations[1].flops == 6
    assert profile.operations[1].changes == 2


@pytest.mark.task("Profiler.run")
def test_a_view_is_no_new_memory_and_a_scalar_becomes_an_array():
    """NumPy answers x.sum() by a number without memory: what is measured is what is returned."""
    profile, x = Profiler(), np.ones((2, 3), np.float32)
    profile.run(np.transpose, [x], {"axes": (1, 0)})
    total = profile.run(np.sum, [x], {"axis": None, "dtype": None, "keepdims": False})
    assert type(total) is np.ndarray
    assert [one.allocated for one in profile.operations] == [0, 4]
    assert profile.live == 4


@pytest.mark.task("Profiler.run")
def test_an_operation_that_fails_leaves_nothing():
    """It has no result to measure; the error goes on to whoever called."""
    profile = Profiler()
    with pytest.raises(ValueError):
        profile.run(np.add, [np.ones(2), np.ones(3)], {})
    assert profile.operations == []


class Twice(Module):
    """A layer within a layer, called two times."""

    def __init__(self):
        """One layer."""
        super().__init__()
        self.inner = Linear(3, 3)

    def forward(self, x):
        """Apply it twice."""
        return self.inner(self.inner(x))


@pytest.mark.task("Profiler.call")
def test_operations_know_the_layers_they_run_in():
    """Names are those of the tree that was called; the outermost comes first."""
    model = Sequential(Linear(2, 3), Twice())
    with Profiler() as profile:
        model(zeros(1, 2))
    found = [one.layers for one in profile.operations]
    assert found[0] == ("Sequential", "Sequential.0")
    assert found[1] == found[2] == ("Sequential", "Sequential.1", "Sequential.1.inner")
    assert sorted(span.name for span in profile.spans) == [
        "Sequential",
        "Sequential.0",
        "Sequential.1",
        "Sequential.1.inner",
        "Sequential.1.inner",
    ]


@pytest.mark.task("Profiler.call")
def test_after_an_error_everything_is_as_it_was():
    """The layer is off the stack, the seams are empty, and the next run is measured afresh."""
    profile = Profiler()
    with pytest.raises(ValueError, match="linear"):
        with profile:
            Sequential(Linear(2, 3), Linear(2, 3))(zeros(1, 2))
    assert profile._stack() == []
    assert (set_runner(None), set_caller(None)) == (None, None)
    assert len(profile.spans) == 3


@pytest.mark.task("Profiler.call")
def test_a_profiler_within_another_sees_the_same():
    """The inner one calls the outer one, which is back in its place afterwards."""
    x = Tensor([1.0])
    with Profiler() as outer:
        with Profiler() as inner:
            x + x
        x * x
    x - x
    assert [one.name for one in inner.operations] == ["add"]
    assert [one.name for one in outer.operations] == ["add", "multiply"]


@pytest.mark.task("Profiler.call")
def test_an_open_profiler_is_not_opened_again():
    """It would put itself into the seam twice, and count twice. Closed, it goes on."""
    watch = Watch()
    profile = Profiler(watch)
    with profile:
        watch.wait(1)
        with pytest.raises(RuntimeError):
            profile.__enter__()
    with profile:
        watch.wait(2)
        apply(np.negative, Tensor([1.0]))
    assert profile.seconds == 3.0
    assert len(profile.operations) == 1


ADD = Operation("add", ("m", "m.0"), 1.0, 0.5, 6, 48, 24, 24, 1, 7)


@pytest.mark.task("summarize")
def test_a_row_adds_up():
    """FLOPs, bytes and seconds are sums; the peak is the most that was alive after one of them."""
    other = ADD._replace(flops=None, read=8, written=0, allocated=0, changes=3, seconds=0.25)
    row = summarize("add", [ADD, other], [24, 90, 32], calls=5)
    assert row == ("add", 5, 6, 80, 24, 32, 0.75)
    assert summarize("none", [ADD._replace(changes=0)], [], calls=1).peak == 0


@pytest.mark.task("summarize")
def test_layers_hold_what_runs_within_them():
    """The outer one comes first and has all; a layer called twice has one row."""
    model = Sequential(Linear(2, 3), Twice())
    with Profiler() as profile:
        model(zeros(1, 2))
    rows = profile.by_layer()
    assert [(row.name, row.calls, row.flops) for row in rows] == [
        ("Sequential", 1, 15 + 21 + 21),
        ("Sequential.0", 1, 15),
        ("Sequential.1", 1, 42),
        ("Sequential.1.inner", 2, 42),
    ]


@pytest.mark.task("chrome_trace")
def test_a_trace_has_microseconds_from_the_first_event():
    """The layer contains the operation, so it comes first; threads are numbered from 1."""
    profile = Profiler()
    profile.operations = [ADD._replace(start=10.0, thread=99)]
    profile.spans = [Span("m", "layer", 10.0, 1.0, 99), Span("b", "region", 12.0, 1.0, 5)]
    profile.memory.changes = [(10.25, 24)]
    trace = chrome_trace(profile)
    assert trace["displayTimeUnit"] == "ms"
    outer, inner, memory, other = trace["traceEvents"]
    costs = {"flops": 6, "read": 48, "written": 24, "allocated": 24}
    layer = {"name": "m", "cat": "layer", "ph": "X", "ts": 0.0, "dur": 1e6, "pid": 1, "tid": 1}
    assert outer == {**layer, "args": {}}
    assert inner == {**layer, "name": "add", "cat": "operation", "dur": 5e5, "args": costs}
    what = {"name": "memory", "ph": "C", "ts": 250000.0, "pid": 1, "args": {"live": 24}}
    assert memory == what
    assert (other["cat"], other["ts"], other["tid"]) == ("region", 2e6, 2)


@pytest.mark.task("Machine.attainable")
def test_the_lower_limit_counts():
    """At 10 FLOP/s and 2 bytes/s, each byte must be worth 5 FLOPs."""
    machine = Machine(10.0, 2.0)
    assert [machine.attainable(x) for x in (0, 1, 5, 50)] == [0.0, 2.0, 10.0, 10.0]
    with pytest.raises(ValueError):
        machine.attainable(-1)
