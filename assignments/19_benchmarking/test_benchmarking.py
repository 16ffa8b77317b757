"""What module 19 must do. Run it with `tito test 19`; the first sentence below a name says why."""

import numpy as np
import pytest

from tinytorch.benchmarking import (
    Comparison,
    Timer,
    bootstrap_interval,
    calls_per_block,
    compare,
    describe,
    measure,
    pareto_front,
    ratio_of_medians,
)

pytestmark = pytest.mark.filterwarnings("error")


class Clock:
    """A clock that goes only while some work is done, so that no test depends on a machine."""

    def __init__(self):
        """Begin at some time or other."""
        self.now, self.log = 50.0, ""

    def __call__(self):
        """Read the clock."""
        return self.now

    def work(self, name, *times):
        """Return work whose calls take these times, then the last one for ever."""
        left = list(times)

        def work():
            self.now += left.pop(0) if len(left) > 1 else left[0]
            self.log += name

        return work


@pytest.mark.task("Timer.__enter__")
def test_a_timer_adds_up_its_blocks():
    """What happens between the blocks does not count."""
    clock = Clock()
    timer = Timer(clock)
    for seconds in (0.5, 2.0):
        with timer as same:
            clock.now += seconds
        clock.now += 100.0
        assert same is timer
    assert (timer.seconds, timer.count) == (2.5, 2)


@pytest.mark.task("Timer.__enter__")
def test_a_block_that_fails_counts_and_fails():
    """An error must not disappear in a timer, nor leave it running."""
    clock = Clock()
    timer = Timer(clock)
    with pytest.raises(KeyError), timer:
        clock.now += 0.5
        raise KeyError
    assert (timer.seconds, timer.count) == (0.5, 1)
    with timer, pytest.raises(RuntimeError), timer:
        pass


@pytest.mark.task("calls_per_block")
def test_a_block_takes_as_long_as_was_asked_for():
    """Calls of ¼ s: eight take 2 s, and a little more than 2 s needs nine."""
    for least, calls in ((2.0, 8), (2.1, 9), (0.25, 1), (0.1, 1)):
        clock = Clock()
        assert calls_per_block(clock.work("a", 0.25), least, clock) == calls


@pytest.mark.task("calls_per_block")
def test_work_that_takes_no_time_ends():
    """A clock can be too coarse to see it; then the most calls are made, and none is divided by."""
    assert calls_per_block(int, 1.0, clock=lambda: 3.0) == 2**20


@pytest.mark.task("measure")
def test_a_sample_is_the_time_of_a_block_by_its_calls():
    """Blocks of two calls: (1 + 2) / 2 and (4 + 8) / 2."""
    clock = Clock()
    samples = measure(clock.work("a", 1.0, 2.0, 4.0, 8.0), 2, warmup=0, calls=2, clock=clock)
    assert samples.tolist() == [1.5, 6.0]
    assert samples.dtype == np.float64


@pytest.mark.task("measure")
def test_the_first_calls_are_not_measured():
    """They fill caches and make buffers. Here they take 9 s, and all others ¼ s."""
    clock = Clock()
    samples = measure(clock.work("a", 9.0, 9.0, 0.25), 3, warmup=2, least=1.0, clock=clock)
    assert samples.tolist() == [0.25] * 3
    assert len(clock.log) == 2 + (1 + 2 + 4) + 3 * 4
    with pytest.raises(ValueError, match="repeats >= 1"):
        measure(int, repeats=0)


@pytest.mark.task("describe")
def test_a_summary_holds_what_one_far_sample_moves_and_what_it_does_not():
    """Ten samples around 5 and one of 65: the mean doubles, the median and the mad stay."""
    summary = describe([*range(10), 65])
    assert summary == (11, 0.0, 5.0, 10.0, 9.0, 3.0)
    assert type(summary.mad) is float
    with pytest.raises(ValueError, match="finite"):
        describe([1.0, float("nan")])


@pytest.mark.task("bootstrap_interval")
def test_an_interval_is_the_middle_of_what_resamples_say():
    """Two resamples by hand, from the same seed; confidence ½ leaves a quarter on each side."""
    x, generator = np.array([1.0, 2.0, 4.0]), np.random.default_rng(3)
    means = [x[generator.integers(0, 3, 3)].mean() for _ in range(2)]
    got = bootstrap_interval(x, np.mean, confidence=0.5, resamples=2, seed=3)
    np.testing.assert_allclose(got, np.quantile(means, [0.25, 0.75]))


@pytest.mark.task("bootstrap_interval")
def test_the_same_samples_give_the_same_interval():
    """And more samples of the same kind a narrower one."""
    x = np.random.default_rng(0).normal(10, 1, 400)
    low, high = bootstrap_interval(x[:25])
    assert (low, high) == bootstrap_interval(x[:25])
    assert low < np.median(x[:25]) < high
    few, many = (np.diff(bootstrap_interval(some)) for some in (x[:25], x))
    assert many < few / 2
    for wrong in ({"confidence": 95}, {"resamples": 0}):
        with pytest.raises(ValueError, match="bootstrap_interval"):
            bootstrap_interval(x, **wrong)


@pytest.mark.task("bootstrap_interval")
def test_rows_are_drawn_whole():
    """Every pair has the ratio ½, so every resample has."""
    pairs = np.array([[1.0, 2.0], [5.0, 10.0], [3.0, 6.0]])
    low, high = bootstrap_interval(pairs, lambda x: x[:, 0].sum() / x[:, 1].sum(), resamples=50)
    assert (low, high) == (0.5, 0.5)


@pytest.mark.task("compare")
def test_rivals_take_turns():
    """a begins, then b, then a: neither is always the second."""
    clock = Clock()
    found = compare(
        clock.work("a", 1.0), clock.work("b", 2.0), 3, warmup=0, calls=(1, 2), clock=clock
    )
    assert clock.log == "abb" + "bba" + "abb"
    assert found.pairs.tolist() == [[1.0, 2.0]] * 3


@pytest.mark.task("compare")
def test_both_rivals_get_blocks_of_the_same_length():
    """b takes half as long, so it is called twice as often; both are warm before that."""
    clock = Clock()
    a, b = clock.work("a", 9.0, 0.5), clock.work("b", 9.0, 0.25)
    found = compare(a, b, blocks=2, least=1.0, clock=clock)
    assert clock.log.endswith("aabbbb" + "bbbbaa")
    assert found.pairs.tolist() == [[0.5, 0.25]] * 2
    with pytest.raises(ValueError, match="blocks >= 1"):
        compare(int, int, blocks=0)


@pytest.mark.task("ratio_of_medians")
def test_a_slow_moment_does_not_move_the_ratio():
    """The medians are 3 and 4; the mean of the first column is 18."""
    assert ratio_of_medians(np.array([[1.0, 2.0], [3.0, 4.0], [50.0, 6.0]])) == 0.75
    with pytest.raises(ValueError):
        ratio_of_medians(np.zeros((2, 2)))


@pytest.mark.task("ratio_of_medians")
def test_a_verdict_needs_more_than_a_ratio():
    """Times that lie all over the place allow none, whichever median is smaller."""
    clear = np.array([[1.0, 2.0], [1.1, 2.1], [0.9, 1.9]])
    assert Comparison(clear).verdict() == "faster"
    assert Comparison(clear[:, ::-1]).verdict() == "slower"
    noisy = np.array([[1.0, 2.0], [2.0, 1.0], [1.9, 2.0], [0.5, 0.7], [3.0, 2.9]])
    assert Comparison(noisy).verdict() == "cannot tell"


@pytest.mark.task("pareto_front")
def test_a_front_holds_what_nothing_beats():
    """(2, 94) is larger and worse than (1, 95); (9, 97) is larger and no better than (4, 97)."""
    points = [[4.0, 97.0], [1.0, 95.0], [2.0, 94.0], [9.0, 97.0]]
    assert pareto_front(points, maximize=[False, True]) == [0, 1]
    assert pareto_front(points) == [1, 2]


@pytest.mark.task("pareto_front")
def test_equal_points_stand_side_by_side():
    """Neither is better than the other in anything."""
    assert pareto_front([[1.0, 1.0], [1.0, 1.0], [1.0, 2.0]]) == [0, 1]
    with pytest.raises(ValueError):
        pareto_front([[1.0, float("nan")]])
