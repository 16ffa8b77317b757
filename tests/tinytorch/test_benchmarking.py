"""Timers, turns and fronts on clocks of the tests' own; statistics against SciPy's answers."""

import doctest
import gc
import itertools
import time
import xml.etree.ElementTree

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from tinytorch import benchmarking
from tinytorch.benchmarking import (
    Comparison,
    Report,
    Timer,
    bootstrap_interval,
    calls_per_block,
    compare,
    describe,
    measure,
    pareto_front,
    pareto_svg,
    ratio_of_medians,
    time_block,
)

pytestmark = pytest.mark.filterwarnings("error")

RNG = np.random.default_rng(19)
FIXED = {
    "normal": RNG.normal(10, 1, 25),
    "skewed": RNG.exponential(1.0, 12),
    "two": np.array([1.0, 3.0]),
    "ties": np.repeat([1.0, 2.0, 9.0], [5, 3, 1]),
    "large": RNG.lognormal(0, 1, 300),
}
every_sample = pytest.mark.parametrize("name", FIXED)


class Clock:
    """A clock that only goes when some work says so."""

    def __init__(self):
        """Begin at an odd time, as real clocks do."""
        self.now, self.log = 123.0, []

    def __call__(self):
        """Read it."""
        return self.now

    def work(self, name, *seconds):
        """Return work that takes these times in turn."""
        times = itertools.cycle(seconds)

        def work():
            self.log.append(name)
            self.now += next(times)

        return work


@every_sample
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("statistic", [np.median, np.mean, np.std], ids=lambda f: f.__name__)
def test_an_interval_is_that_of_scipy(name, confidence, statistic):
    """Percentile bootstrap with the same generator: the same bounds, to the last digits."""
    x = FIXED[name]
    want = stats.bootstrap(
        (x,),
        statistic,
        confidence_level=confidence,
        n_resamples=200,
        method="percentile",
        rng=np.random.default_rng(7),
    ).confidence_interval
    got = bootstrap_interval(x, statistic, confidence, resamples=200, seed=7)
    np.testing.assert_allclose(got, want, rtol=1e-12)
    assert [*map(type, got)] == [float, float]


def test_pairs_are_drawn_together_as_scipy_draws_them():
    """A ratio of paired times: rows stay rows."""
    pairs = np.abs(RNG.normal([2.0, 3.0], 0.3, (20, 2)))

    def ratio(a, b, axis):
        return np.median(a, axis=axis) / np.median(b, axis=axis)

    want = stats.bootstrap(
        tuple(pairs.T),
        ratio,
        paired=True,
        n_resamples=200,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    got = bootstrap_interval(pairs, ratio_of_medians, resamples=200)
    np.testing.assert_allclose(got, want, rtol=1e-12)
    assert Comparison(pairs).interval(resamples=200) == got


def test_a_95_percent_interval_holds_the_truth_about_as_often():
    """Of 400 groups of 25 samples, the interval of the mean of 370 to 390 holds the true mean."""
    rng = np.random.default_rng(0)
    groups = rng.normal(5, 1, (400, 25))
    bounds = [bootstrap_interval(x, np.mean, resamples=200) for x in groups]
    held = sum(low <= 5 <= high for low, high in bounds)
    assert 360 <= held <= 390


@every_sample
def test_a_summary_is_that_of_scipy(name):
    """Quantile and deviation by other people's code."""
    x = FIXED[name]
    got = describe(x.tolist())
    want = stats.describe(x)
    assert (got.count, got.minimum) == (want.nobs, want.minmax[0])
    np.testing.assert_allclose(got.mean, want.mean)
    np.testing.assert_allclose(got.median, stats.scoreatpercentile(x, 50))
    np.testing.assert_allclose(got.p90, stats.scoreatpercentile(x, 90))
    np.testing.assert_allclose(got.mad, stats.median_abs_deviation(x))
    assert {type(value) for value in got[1:]} == {float}


def test_a_timer_adds_up_blocks_and_survives_an_error():
    """An exception goes on its way, its time counts, and the timer can be used again."""
    clock = Clock()
    timer, work = Timer(clock), clock.work("a", 0.25, 4.0)
    with timer as same:
        work()
    assert same is timer
    with pytest.raises(KeyError), timer:
        work()
        raise KeyError
    assert (timer.seconds, timer.count, timer.started) == (4.25, 2, None)
    with timer, pytest.raises(RuntimeError, match="second Timer"), timer:
        pass
    assert timer.count == 3


def test_garbage_is_collected_again_after_a_block(monkeypatch):
    """Also when the work fails; and it stays off where it was off."""
    seen = []
    time_block(lambda: seen.append(gc.isenabled()), 2, time.perf_counter)
    assert seen == [False, False]
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        time_block(lambda: 1 / 0, 1, time.perf_counter)
    assert gc.isenabled()
    gc.disable()
    try:
        time_block(int, 1, time.perf_counter)
        assert not gc.isenabled()
    finally:
        gc.enable()


@given(st.integers(1, 10**6), st.integers(1, 10**7))
@example(1, 1)
@example(10**6, 1)
def test_a_block_is_as_long_as_was_asked_for(each, least):
    """⌈least / each⌉ calls, whatever a call takes; in whole ticks, so that it is exact."""
    clock = Clock()
    clock.now = 0
    calls = calls_per_block(clock.work("a", each), least, clock)
    assert calls == min(-(-least // each), calls)
    assert calls * each >= least or calls == benchmarking.MOST_CALLS


def test_work_that_takes_no_time_does_not_go_on_for_ever(monkeypatch):
    """A clock that stands still ends the search at the most calls."""
    monkeypatch.setattr(benchmarking, "MOST_CALLS", 64)
    assert calls_per_block(int, 1.0, clock=lambda: 5.0) == 64


def test_measure_leaves_the_warm_up_out():
    """Three calls take long; then two samples of two calls each."""
    clock = Clock()
    work = clock.work("a", 9, 9, 9, 1, 2, 4, 8)
    samples = measure(work, repeats=2, warmup=3, calls=2, clock=clock)
    assert samples.tolist() == [1.5, 6.0]
    assert samples.dtype == np.float64
    assert len(clock.log) == 7


def test_measure_finds_how_many_calls_make_a_block():
    """¼ second each, blocks of 2: eight calls per sample."""
    clock = Clock()
    assert measure(clock.work("a", 0.25), 5, least=2.0, clock=clock).tolist() == [0.25] * 5
    assert len(clock.log) == 1 + 15 + 5 * 8


def test_rivals_take_turns_in_blocks_of_equal_length():
    """a takes twice as long as b, so b is called twice as often; who begins changes each turn."""
    clock = Clock()
    found = compare(
        clock.work("a", 0.5), clock.work("b", 0.25), 3, warmup=0, least=1.0, clock=clock
    )
    assert found.pairs.tolist() == [[0.5, 0.25]] * 3
    assert found.ratio == 2.0
    turns = "".join(clock.log)[-18:]
    assert turns == "aabbbb" + "bbbbaa" + "aabbbb"


def test_a_machine_that_slows_down_favours_nobody():
    """Two equal rivals, each block slower than the one before: the ratio stays near 1."""
    clock = Clock()
    work = clock.work("a", *np.linspace(1, 3, 40))
    found = compare(work, work, 20, warmup=0, calls=(1, 1), clock=clock)
    assert abs(found.ratio - 1) < 0.01
    assert found.verdict() == "cannot tell"


def test_a_verdict_needs_the_whole_interval():
    """A ratio below 1 is not enough."""
    rng = np.random.default_rng(5)
    noisy = np.stack([rng.normal(0.98, 0.2, 20), rng.normal(1.0, 0.2, 20)], axis=1)
    assert Comparison(noisy).ratio < 1
    assert Comparison(noisy).verdict() == "cannot tell"
    clear = np.stack([rng.normal(0.9, 0.01, 20), rng.normal(1.0, 0.01, 20)], axis=1)
    assert Comparison(clear).verdict() == "faster"
    assert Comparison(clear[:, ::-1]).verdict() == "slower"


def dominates(one, other):
    """The definition, a number at a time; less is better."""
    better = [a < b for a, b in zip(one, other, strict=True)]
    return any(better) and all(a <= b for a, b in zip(one, other, strict=True))


tables = st.integers(1, 3).flatmap(
    lambda d: st.lists(st.lists(st.integers(0, 4), min_size=d, max_size=d), max_size=12).map(
        lambda rows: np.array(rows, float).reshape(-1, d)
    )
)


@given(tables, st.data())
def test_a_front_is_what_nothing_dominates(table, data):
    """By definition, for any directions; equal points stay together."""
    signs = data.draw(st.lists(st.booleans(), min_size=table.shape[1], max_size=table.shape[1]))
    turned = np.where(signs, -table, table)
    want = [i for i, p in enumerate(turned) if not any(dominates(q, p) for q in turned)]
    assert pareto_front(table, signs) == want
    assert pareto_front(table) == pareto_front(-table, maximize=True)


def test_a_report_goes_through_json():
    """All samples, to the last bit, and the machine they come from."""
    report = Report()
    report.add("a & b <fast>", FIXED["normal"] * 1e-3)
    report.add("c", FIXED["skewed"])
    again = Report.from_json(report.to_json())
    assert again.to_json() == report.to_json()
    assert again.environment == report.environment
    np.testing.assert_array_equal(again.samples["c"], FIXED["skewed"])
    lines = report.table().splitlines()
    assert [line.split("  ")[0] for line in lines] == ["", "a & b <fast>", "c"]
    assert "ms to" in lines[1]


def test_pictures_are_xml_and_show_every_sample():
    """Names with signs of XML in them too; a point of the front and one behind it."""
    report = Report()
    report.add("a & b <fast>", FIXED["normal"])
    report.add("c", np.zeros(3) + 1e-9)
    root = xml.etree.ElementTree.fromstring(report.to_svg())
    assert len(root.findall(".//{*}circle")) == 28
    assert "a & b <fast>" in [text.text for text in root.findall(".//{*}text")]
    points = {"a<b": (9.0, 97.0), "half": (4.0, 97.0), "tiny": (1.0, 95.0)}
    root = xml.etree.ElementTree.fromstring(pareto_svg(points, ("KB & B", "%"), [False, True]))
    assert len(root.findall(".//{*}circle")) == 3
    front = root.findall(".//{*}polyline")[1].get("points").split()
    assert len(front) == 2
    same = {"a": (0.0, 5.0), "b": (0.0, 5.0)}
    for point in xml.etree.ElementTree.fromstring(pareto_svg(same, ("x", "y"))).findall(
        ".//{*}circle"
    ):
        assert float(point.get("cx")) == benchmarking.LEFT


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(12.0, "12 s"), (0.00123, "1.23 ms"), (4.5e-6, "4.5 µs"), (3e-9, "3 ns"), (0.0, "0 ns")],
)
def test_durations_are_for_people(seconds, text):
    """Three digits and a unit."""
    assert benchmarking.duration(seconds) == text


GOOD = Report()
GOOD.add("a", [1.0, 2.0])
REFUSED = [
    (lambda: describe([]), "at least 1"),
    (lambda: describe([1.0, np.nan]), "finite"),
    (lambda: describe(np.array(5.0)), "at least 1"),
    (lambda: bootstrap_interval([1.0]), "at least 2"),
    (lambda: bootstrap_interval([1.0, np.inf]), "finite"),
    (lambda: bootstrap_interval([1.0, 2.0], confidence=95), "0 < confidence < 1"),
    (lambda: bootstrap_interval([1.0, 2.0], confidence=0.0), "0 < confidence < 1"),
    (lambda: bootstrap_interval([1.0, 2.0], resamples=0), "resamples >= 1"),
    (lambda: measure(int, repeats=0), "repeats >= 1"),
    (lambda: measure(int, warmup=-1), "warmup >= 0"),
    (lambda: measure(int, calls=0), "calls >= 1"),
    (lambda: compare(int, int, blocks=0), "blocks >= 1"),
    (lambda: compare(int, int, calls=(3, 0)), "calls >= 1"),
    (lambda: ratio_of_medians(np.zeros((3, 2))), "above 0"),
    (lambda: pareto_front([1.0, 2.0]), "(points, columns)"),
    (lambda: pareto_front([[1.0, np.nan]]), "NaN"),
    (lambda: GOOD.add("a", [1.0, 2.0]), "already"),
    (lambda: GOOD.add("b", [1.0]), "at least 2"),
    (lambda: Report().to_svg(), "add some"),
    (lambda: Report.from_json("{"), "no report"),
    (lambda: Report.from_json("[]"), "no report"),
    (lambda: Report.from_json("{}"), "no report"),
    (lambda: Report.from_json("[" * 100_000), "no report"),
    (lambda: Report.from_json(GOOD.to_json().replace("/1", "/2")), "another format"),
    (lambda: Report.from_json(GOOD.to_json().replace("2.0", "NaN")), "finite"),
    (lambda: Report.from_json(GOOD.to_json().replace("2.0", '"x"')), "no report"),
]


@pytest.mark.parametrize(("work", "words"), REFUSED)
def test_what_is_wrong_is_refused_in_one_line(work, words):
    """What was expected, and what came."""
    with pytest.raises(ValueError) as failure:
        work()
    assert words in str(failure.value)
    assert "\n" not in str(failure.value)


def test_real_clocks_go():
    """The defaults work on this machine; nothing here asks how fast it is."""
    assert measure(lambda: sum(range(100)), repeats=3, least=1e-4).min() > 0
    found = compare(lambda: sum(range(100)), lambda: sum(range(100)), blocks=3, least=1e-3)
    assert found.pairs.shape == (3, 2)
    assert (found.pairs > 0).all()


def test_the_examples_in_the_docstrings_are_true():
    """What a student reads first is checked like everything else."""
    failed, tried = doctest.testmod(benchmarking)
    assert failed == 0
    assert tried > 12
