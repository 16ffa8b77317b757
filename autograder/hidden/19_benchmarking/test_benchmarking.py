"""Checks of 19_benchmarking, shown and hidden; otter-grader runs this in the trusted process.

No check reads a clock of this machine: every clock is a probe's own.
"""

import numpy as np
from otter.test_files import test_case

OK_FORMAT = False
name = "19_benchmarking"
points = 100


def shown(name, points, hint):
    """A check that students see; the hint is what they read when it fails."""
    return test_case(name=name, points=points, hidden=False, failure_message=hint)


def hidden(name, points, hint):
    """A check that students do not see, but for its hint."""
    return test_case(name=name, points=points, hidden=True, failure_message=hint)


def seconds(rng, count):
    """Times that a clock adds without rounding: eighths of a second."""
    return (rng.integers(1, 40, count) / 8).tolist()


@shown("Timer.__enter__: several blocks", 2, "Each block adds its time to `seconds`, 1 to `count`.")
def timer_small(agree, rng):
    agree("timed", blocks=seconds(rng, 3), fails=[False] * 3)


@hidden("Timer.__enter__: blocks that fail", 4, "The time counts, and the error goes on its way.")
def timer_fails(agree, rng):
    agree("timed", blocks=seconds(rng, 5), fails=[False, True, True, False, True])
    agree("timed", blocks=[0.0, *seconds(rng, 1)], fails=[True, False])


@hidden("Timer.__enter__: inside of itself", 4, "A timer that runs is refused a second start.")
def timer_nested(refuses, agree, rng):
    refuses("nested", RuntimeError, bad={"inside": True}, good={"inside": False})
    agree("timed", blocks=seconds(rng, 4), fails=[False] * 4)


@shown("calls_per_block: steady work", 3, "As many calls as just take `least` seconds.")
def calls_small(agree, rng):
    each, calls = float(rng.integers(1, 9)) / 8, int(rng.integers(3, 30))
    agree("calibrated", times=[each], least=each * calls)
    agree("calibrated", times=[each], least=each * calls + 0.01)


@hidden("calls_per_block: uneven work", 5, "Double from 1, then scale by the last block's time.")
def calls_uneven(agree, rng):
    for count in (1, 3, 7):
        agree("calibrated", times=seconds(rng, count), least=float(rng.integers(10, 60)))
    agree("calibrated", times=[8.0], least=float(rng.integers(1, 8)))


@hidden("calls_per_block: work that takes no time", 4, "Stop at MOST_CALLS, and divide by no 0.")
def calls_still(agree, rng):
    for _ in range(2):
        agree("calibrated_still", most=2 ** int(rng.integers(3, 7)))


@shown("measure: blocks of several calls", 3, "The time of a block by its calls.")
def measure_small(agree, rng):
    settings = {"repeats": int(rng.integers(2, 6)), "warmup": 0, "calls": int(rng.integers(2, 5))}
    agree("measured", times=seconds(rng, 7), settings=settings, found=1)


@hidden("measure: warm-up", 5, "Untimed calls come first, also before calls are counted.")
def measure_warmup(agree, refuses, rng):
    settings = {"repeats": 3, "warmup": int(rng.integers(2, 6)), "calls": 2}
    good = {"times": seconds(rng, 5), "settings": settings, "found": 1}
    agree("measured", **{**good, "settings": {"repeats": 2, "calls": 3}})
    for wrong in ({"repeats": 0}, {"warmup": -1}, {"calls": 0}):
        refuses("measured", ValueError, bad={**good, "settings": {**settings, **wrong}}, good=good)


@hidden(
    "measure: calls that are not given", 6, "Ask `calls_per_block`, with `least` and the clock."
)
def measure_calls(agree, rng):
    for _ in range(2):
        settings = {"repeats": 4, "warmup": 2, "least": float(rng.uniform(1, 9))}
        found = int(rng.integers(2, 6))
        agree("measured", times=seconds(rng, 5), settings=settings, found=found)


@hidden("describe: random samples", 6, "Quantile and deviation as NumPy's quantile and median say.")
def describe_random(agree, rng):
    for count, kind in ((1, "list"), (8, "generator"), (25, "array")):
        agree("described", samples=rng.exponential(1, count), kind=kind)


@hidden("describe: far away samples", 4, "One sample that is far away moves the mean, not the mad.")
def describe_far(agree, refuses, rng):
    good = {"samples": rng.normal(5, 1, 6).tolist() + [1e6], "kind": "list"}
    for wrong in ([], [1.0, float("nan")], [float("inf")]):
        refuses("described", ValueError, bad={**good, "samples": wrong}, good=good)


def settings(rng, **more):
    """Few resamples, as a check must be quick, and a seed."""
    return {"resamples": int(rng.integers(20, 40)), "seed": int(rng.integers(99)), **more}


@shown("bootstrap_interval: a few samples", 4, "Resample, compute, take the middle of the results.")
def interval_small(agree, rng):
    x = rng.normal(10, 2, 8)
    agree("interval", samples=x, statistic="median", settings=settings(rng))


@hidden("bootstrap_interval: statistics and confidences", 8, "Both bounds leave out equal shares.")
def interval_random(agree, refuses, rng):
    x = rng.exponential(1, 15)
    for statistic, confidence in (("mean", 0.9), ("largest", 0.5), ("median", 0.99)):
        these = settings(rng, confidence=confidence)
        agree("interval", samples=x, statistic=statistic, settings=these)
    good = {"samples": x, "statistic": "mean", "settings": settings(rng)}
    for wrong in ({"confidence": c} for c in (1.0, 95.0, 0.0, -0.5)):
        bad = {**good, "settings": {**good["settings"], **wrong}}
        refuses("interval", ValueError, bad=bad, good=good)


@hidden("bootstrap_interval: rows, and defaults", 6, "Let `_samples` make the array; draw rows.")
def interval_rows(agree, refuses, rng):
    pairs = np.abs(rng.normal([2, 3], 0.4, (12, 2)))
    agree("interval", samples=pairs, statistic="ratio", settings=settings(rng))
    good = {"samples": rng.normal(5, 1, 9), "resamples": int(rng.integers(20, 40))}
    agree("interval_by_default", **good)
    for wrong in ({"samples": [1.0]}, {"samples": [1.0, 2.0, float("nan")]}, {"resamples": 0}):
        refuses("interval_by_default", ValueError, bad={**good, **wrong}, good=good)


@shown("compare: turns", 3, "A row of `pairs` is (first, second), whoever began.")
def compare_small(agree, rng):
    given = {"blocks": 3, "warmup": 0, "calls": [1, 1]}
    agree("compared", first=seconds(rng, 3), second=seconds(rng, 3), settings=given, found=[1, 1])


@hidden("compare: blocks of unequal calls", 5, "Each time is divided by the calls of its own side.")
def compare_calls(agree, refuses, rng):
    given = {"blocks": 5, "warmup": 2, "calls": rng.integers(2, 6, 2).tolist()}
    good = {"first": seconds(rng, 5), "second": seconds(rng, 7), "settings": given, "found": [1, 1]}
    agree("compared", **good)
    for wrong in ({"blocks": 0}, {"warmup": -1}, {"calls": [1, 0]}):
        refuses("compared", ValueError, bad={**good, "settings": {**given, **wrong}}, good=good)


@hidden("compare: blocks of equal length", 6, "`calls_per_block` of each, once it is warm.")
def compare_least(agree, rng):
    given = {"blocks": 4, "least": float(rng.uniform(1, 9))}
    found = rng.permutation([2, 3, 5])[:2].tolist()
    agree("compared", first=seconds(rng, 5), second=seconds(rng, 6), settings=given, found=found)


@hidden("ratio_of_medians: random pairs", 4, "One median by the other; times of 0 are refused.")
def ratio_random(agree, refuses, rng):
    for count in (1, 6, 9):
        agree("ratio", pairs=rng.exponential(1, (count, 2)))
    refuses("ratio", ValueError, bad={"pairs": np.zeros((3, 2))}, good={"pairs": np.ones((3, 2))})


@hidden(
    "ratio_of_medians: verdict", 4, "The interval decides, at the confidence that is asked for."
)
def verdict_bounds(agree, rng):
    low, high = (0.5 + rng.random(2) / 3).tolist(), (1.1 + rng.random(2) / 3).tolist()
    bounds = [sorted(low), sorted(high), [low[0], high[0]], [low[1], 1.0], [1.0, high[1]]]
    for pair in ([1.0, 4.0], [4.0, 1.0]):
        for how in ({}, {"confidence": float(rng.uniform(0.5, 0.9))}):
            agree("verdicts", bounds=bounds, pairs=np.array([pair, pair]), settings=how)


@hidden("pareto_front: less is better", 7, "At least as good in every column, better in one.")
def front_random(agree, refuses, rng):
    for columns in (1, 2, 3):
        table = rng.integers(0, 5, (12, columns)).astype(float)
        agree("front", points=table, maximize=False)
    good = {"points": rng.random((4, 2)), "maximize": False}
    for wrong in (np.array([1.0, 2.0]), np.array([[1.0, np.nan]])):
        refuses("front", ValueError, bad={**good, "points": wrong}, good=good)


@hidden("pareto_front: directions, and equal points", 7, "Equal points do not dominate each other.")
def front_directions(agree, rng):
    table = rng.integers(0, 4, (10, 2)).astype(float)
    for maximize in ([False, True], [True, False], True):
        agree("front", points=np.concatenate([table, table[:5]]), maximize=maximize)
    agree("front", points=np.zeros((3, 2)) + rng.random(), maximize=False)
    agree("front", points=np.zeros((0, 2)), maximize=[True, False])
