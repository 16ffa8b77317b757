"""Benchmarking: how long something takes, how sure that is, and which of two is faster.

One can time a stretch of code (`Timer`), measure a call again and again (`measure`), say what the
samples say (`describe`, `bootstrap_interval`), let two rivals take turns (`compare`) and find the
choices that no other one beats in everything (`pareto_front`). A `Report` keeps every sample, as
JSON and as a picture. Whatever reads a clock takes it as an argument: a function without arguments
that returns seconds. `time.perf_counter` goes on whatever happens; `time.process_time` goes while
this process computes, on all cores; `time.thread_time` while this thread does.
"""

from __future__ import annotations

import gc
import json
import math
import os
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

__all__ = [
    "Comparison",
    "Report",
    "Summary",
    "Timer",
    "bootstrap_interval",
    "calls_per_block",
    "compare",
    "describe",
    "measure",
    "pareto_front",
    "pareto_svg",
    "ratio_of_medians",
    "time_block",
]

Clock = Callable[[], float]
MOST_CALLS = 2**20  # of something that seems to take no time
FORMAT = "tinytorch.Report/1"


class Timer:
    """Adds up how long its `with` blocks take: `seconds` in all, `count` blocks.

    >>> timer = Timer()
    >>> for _ in range(3):
    ...     with timer:
    ...         total = sum(range(1000))
    >>> timer.count, timer.seconds > 0
    (3, True)
    """

    def __init__(self, clock: Clock = time.perf_counter):
        """Begin with nothing."""
        self.clock, self.seconds, self.count = clock, 0.0, 0
        self.started: float | None = None

    def __enter__(self) -> Timer:
        """Note in `started` when the block begins, and return the timer itself.

        Errors: RuntimeError when the timer runs already.
        """
        if self.started is not None:
            raise RuntimeError("Timer: it runs already; take a second Timer for what is inside")
        self.started = self.clock()
        return self

    def __exit__(self, *error) -> None:
        """Add what has passed to `seconds` and 1 to `count`, also when the block failed.

        Read the clock first, so that nothing else is timed. `started` is None again. The error of
        the block goes on its way: return None.
        """
        ended = self.clock()
        self.seconds += ended - self.started
        self.count += 1
        self.started = None


def time_block(work: Callable[[], object], calls: int, clock: Clock) -> float:
    """Return the seconds of `calls` calls in a row, while Python collects no garbage."""
    collects = gc.isenabled()
    gc.disable()
    try:
        began = clock()
        for _ in range(calls):
            work()
        return clock() - began
    finally:
        if collects:
            gc.enable()


def calls_per_block(
    work: Callable[[], object], least: float = 0.01, clock: Clock = time.perf_counter
) -> int:
    """Find how many calls just take `least` seconds, so that reading the clock does not matter.

    Time blocks (`time_block`) of 1, 2, 4, 8 and so on calls until one takes `least` seconds or has
    MOST_CALLS. If it took s seconds for n calls, return ⌈n · least / s⌉, of which n is the most.

    >>> now = [0.0]
    >>> def work():
    ...     now[0] += 0.25
    >>> calls_per_block(work, least=1.5, clock=lambda: now[0])
    6
    """
    calls = 1
    while (seconds := time_block(work, calls, clock)) < least and calls < MOST_CALLS:
        calls *= 2
    return min(calls, math.ceil(calls * least / seconds)) if seconds > 0 else calls


def measure(
    work: Callable[[], object],
    repeats: int = 20,
    warmup: int = 1,
    calls: int | None = None,
    least: float = 0.01,
    clock: Clock = time.perf_counter,
) -> np.ndarray:
    """Return the seconds of one call, measured `repeats` times: (repeats,) float64.

    First `warmup` calls that are not timed; then, unless `calls` is given, `calls_per_block` finds
    it for blocks of `least` seconds, on the same clock; then `repeats` blocks, each of which gives
    one sample: its time by its calls. Errors: ValueError for repeats or calls below 1, or a warmup
    below 0.

    >>> now = [0.0]
    >>> def work():
    ...     now[0] += 0.25
    >>> measure(work, repeats=3, calls=4, clock=lambda: now[0])
    array([0.25, 0.25, 0.25])
    """
    fewest = 1 if calls is None else calls
    _at_least("measure", repeats=(repeats, 1), warmup=(warmup, 0), calls=(fewest, 1))
    for _ in range(warmup):
        work()
    calls = calls_per_block(work, least, clock) if calls is None else calls
    return np.array([time_block(work, calls, clock) / calls for _ in range(repeats)])


class Summary(NamedTuple):
    """What some samples say; all but `count` are in the unit of the samples."""

    count: int
    minimum: float
    median: float
    mean: float
    p90: float  # nine samples of ten are not above it
    mad: float  # median absolute deviation


def describe(samples: Iterable[float]) -> Summary:
    """Return count, minimum, median, mean, 90 % quantile and median absolute deviation of samples.

    The quantile is NumPy's, which goes straight between two samples. mad = median(|x - median(x)|):
    half of the samples are no farther from the median, however far away a few are. `_samples` makes
    the array and refuses what is wrong.

    >>> describe([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 65])
    Summary(count=11, minimum=0.0, median=5.0, mean=10.0, p90=9.0, mad=3.0)
    """
    x = _samples("describe", samples)
    median = np.median(x)
    numbers = (x.min(), median, x.mean(), np.quantile(x, 0.9), np.median(abs(x - median)))
    return Summary(len(x), *map(float, numbers))


def bootstrap_interval(
    samples,
    statistic: Callable[[np.ndarray], float] = np.median,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Return between which bounds a statistic of the samples lies, as far as they can tell.

    Draw as many samples from the samples as there are, with replacement, and compute the statistic;
    `resamples` times. The interval is what the middle share `confidence` of the results lies in:
    their quantiles (1 - confidence) / 2 and (1 + confidence) / 2. The generator is
    np.random.default_rng(seed), and resample after resample is samples[generator.integers(0, N,
    N)]: the same samples give the same interval, that of SciPy's `bootstrap` by percentiles.
    Shapes: (N,), or (N, …) whose rows belong together, such as pairs -> two floats.
    Errors: those of `_samples`, which makes the array and is told to want 2, as one sample says
    nothing of its noise; ValueError for a confidence that is not between 0 and 1, and for less than
    one resample.
    Source: Efron, "Bootstrap methods: another look at the jackknife", 1979.

    >>> low, high = bootstrap_interval([9.0, 10.0, 10.0, 10.0, 11.0, 30.0])
    >>> low, high
    (9.5, 20.5)
    """
    x = _samples("bootstrap_interval", samples, 2)
    _at_least("bootstrap_interval", resamples=(resamples, 1))
    if not 0 < confidence < 1:
        raise ValueError(f"bootstrap_interval: expected 0 < confidence < 1, got {confidence}")
    generator = np.random.default_rng(seed)
    found = [statistic(x[generator.integers(0, len(x), len(x))]) for _ in range(resamples)]
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def ratio_of_medians(pairs: np.ndarray) -> float:
    """Return the median of the first column by that of the second: (N, 2) -> a float.

    A slow moment moves neither median, and what is slow for both rivals drops out. Errors:
    ValueError for a second median of 0 or less, as a clock that is too coarse makes it.

    >>> ratio_of_medians(np.array([[1.0, 2.0], [3.0, 4.0], [50.0, 6.0]]))
    0.75
    """
    first, second = np.median(pairs, axis=0)
    if second <= 0:
        raise ValueError(f"ratio_of_medians: expected times above 0, got {second}: longer blocks")
    return float(first / second)


class Comparison(NamedTuple):
    """Times of two rivals that took turns: `pairs` (blocks, 2) of seconds per call."""

    pairs: np.ndarray

    @property
    def ratio(self) -> float:
        """The time of the first by that of the second: below 1, the first is faster."""
        return ratio_of_medians(self.pairs)

    def interval(self, confidence: float = 0.95, resamples: int = 1000, seed: int = 0):
        """Return the `bootstrap_interval` of the ratio; both times of a turn stay together."""
        return bootstrap_interval(self.pairs, ratio_of_medians, confidence, resamples, seed)

    def verdict(self, confidence: float = 0.95) -> str:
        """Say whether the first is "faster", "slower", or one "cannot tell".

        It is faster if the whole `interval` of the ratio, at this confidence, is below 1, slower if
        all of it is above.

        >>> Comparison(np.array([[1.0, 2.0], [1.1, 2.1], [0.9, 2.2]])).verdict()
        'faster'
        """
        low, high = self.interval(confidence)
        return "faster" if high < 1 else "slower" if low > 1 else "cannot tell"


def compare(
    first: Callable[[], object],
    second: Callable[[], object],
    blocks: int = 20,
    warmup: int = 1,
    calls: tuple[int, int] | None = None,
    least: float = 0.01,
    clock: Clock = time.thread_time,
) -> Comparison:
    """Let two rivals take turns, block by block, and return the times of each turn.

    First `warmup` calls of each, untimed; then, unless `calls` gives a number for each,
    `calls_per_block` finds for each how many fill a block of `least` seconds, on the same clock:
    both blocks are equally long. Then `blocks` turns: one block of each, the first rival first in
    turns 0, 2, 4, …, the second one first in turns 1, 3, 5, …, as whoever comes second may find the
    caches warm or the processor hot. A row of `pairs` is always (first, second), in seconds per
    call. Errors: ValueError for blocks or calls below 1, or a warmup below 0.

    >>> now = [0.0]
    >>> def quick():
    ...     now[0] += 0.25
    >>> def slow():
    ...     now[0] += 0.5
    >>> compare(quick, slow, blocks=2, least=2.0, clock=lambda: now[0]).pairs.tolist()
    [[0.25, 0.5], [0.25, 0.5]]
    """
    rivals, fewest = (first, second), 1 if calls is None else min(calls)
    _at_least("compare", blocks=(blocks, 1), warmup=(warmup, 0), calls=(fewest, 1))
    for work in rivals:
        for _ in range(warmup):
            work()
    if calls is None:
        calls = tuple(calls_per_block(work, least, clock) for work in rivals)
    pairs = np.empty((blocks, 2))
    for turn in range(blocks):
        for side in (0, 1) if turn % 2 == 0 else (1, 0):
            pairs[turn, side] = time_block(rivals[side], calls[side], clock) / calls[side]
    return Comparison(pairs)


def pareto_front(points, maximize=False) -> list[int]:
    """Return which points no other point dominates: their numbers, in order.

    A point dominates another if it is at least as good in every column and better in one. Less is
    better, or more where `maximize`, a bool or one for each column, says so. Of equal points none
    dominates the other. Shapes: (N, D) -> at most N ints. Errors: ValueError for a NaN or what is
    no such table. Source: Pareto, "Manuale di economia politica", 1906.

    >>> size_and_accuracy = [[4.0, 97.0], [1.0, 95.0], [2.0, 94.0], [9.0, 97.0]]
    >>> pareto_front(size_and_accuracy, maximize=[False, True])
    [0, 1]
    """
    costs = np.asarray(points, dtype=np.float64)
    if costs.ndim != 2 or np.isnan(costs).any():
        what = f"shape {costs.shape}" if costs.ndim != 2 else "NaN in it"
        raise ValueError(f"pareto_front: expected a table (points, columns), got {what}")
    costs = np.where(np.broadcast_to(maximize, costs.shape[1:]), -costs, costs)
    front = []
    for i, cost in enumerate(costs):
        if not ((costs <= cost).all(1) & (costs < cost).any(1)).any():
            front.append(i)
    return front


class Report:
    """Named samples, and the machine they come from: a table, JSON, and a picture of them all."""

    def __init__(self):
        """Begin without samples, on this machine."""
        import platform  # only here, and slow to import

        self.samples: dict[str, np.ndarray] = {}
        self.environment = {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "system": platform.platform(),
            "processors": os.cpu_count(),
        }

    def add(self, name: str, samples) -> None:
        """Keep two samples or more, in seconds, under a name that is not there yet."""
        if name in self.samples:
            raise ValueError(f"Report: {name!r} is there already; choose another name")
        self.samples[name] = _samples("Report.add", samples, 2)

    def table(self) -> str:
        """Return a line for each name: median, its interval, fastest sample, and how many."""
        rows = [("", "median", "95 % interval", "minimum", "samples")]
        for name, x in self.samples.items():
            low, high = map(duration, bootstrap_interval(x))
            middle, least = duration(float(np.median(x))), duration(float(x.min()))
            rows.append((name, middle, f"{low} to {high}", least, str(len(x))))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)

    def to_json(self) -> str:
        """Return all of it as JSON, every sample too, so that anyone can ask something else."""
        samples = {name: x.tolist() for name, x in self.samples.items()}
        document = {"format": FORMAT, "environment": self.environment, "seconds": samples}
        return json.dumps(document, indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Return the report that `to_json` wrote; ValueError for what is none."""
        try:
            document = json.loads(text)
            if document.pop("format") != FORMAT:
                raise ValueError(f"another format than {FORMAT}")
            report = cls()
            report.environment, seconds = dict(document["environment"]), document["seconds"]
            for name, samples in seconds.items():
                report.add(name, samples)
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            why = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise ValueError(f"Report.from_json: no report ({why:.200})") from None
        return report

    def to_svg(self) -> str:
        """Return an SVG: a row for each name, its samples as dots, median and interval as lines."""
        if not self.samples:
            raise ValueError("Report.to_svg: expected samples, got none: add some")
        most = max(float(x.max()) for x in self.samples.values()) or 1.0
        rows = [_axis(most, 24 + 34 * len(self.samples), duration)]
        for y, (name, x) in zip(range(24, 10**9, 34), self.samples.items(), strict=False):
            low, high, middle = (_across(v, most) for v in (*bootstrap_interval(x), np.median(x)))
            rows.append(_text(LEFT - 10, y + 4, name, "end"))
            rows += [_dot(_across(value, most), y, BLUE) for value in x]
            rows.append(_line([(low, y + 10), (high, y + 10)], RED))
            rows.append(_line([(middle, y - 8), (middle, y + 12)], RED))
        return _svg(rows, 54 + 34 * len(self.samples))


def pareto_svg(points: dict[str, tuple[float, float]], labels: tuple[str, str], maximize=False):
    """Return an SVG of named points (x, y), none below 0: the `pareto_front` is joined by a line.

    >>> choices = {"all": (9.0, 97.0), "half": (4.0, 97.0), "tiny": (1.0, 95.0)}
    >>> picture = pareto_svg(choices, ("kilobytes", "% right"), maximize=[False, True])
    >>> picture.count("<circle"), picture.count("<polyline")
    (3, 2)
    """
    table = np.array(list(points.values()), dtype=np.float64)
    front, height = pareto_front(table, maximize), 360
    right, top = (float(most) for most in table.max(0))
    low, right = float(table[:, 1].min()), 1.05 * right or 1.0
    low, top = low - 0.1 * (top - low or 1.0), top + 0.1 * (top - low or 1.0)

    def at(point):
        share = (point[1] - low) / (top - low)
        return _across(point[0], right), height - 50 - share * (height - 80)

    joined = sorted(at(table[i]) for i in front)
    rows = [_axis(right, height - 50, "{:g}".format), _line(joined, RED)]
    for i, (name, point) in enumerate(points.items()):
        x, y = at(point)
        text = f"{name} ({point[0]:g}, {point[1]:g})"
        rows += [_dot(x, y, RED if i in front else BLUE), _text(x + 8, y + 14, text, "start")]
    rows.append(_text((LEFT + WIDTH) / 2, height - 8, labels[0], "middle"))
    return _svg([*rows, _text(8, 16, labels[1], "start")], height)


def duration(seconds: float) -> str:
    """Return seconds for people: 0.00123 -> '1.23 ms'."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if abs(seconds) >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


WIDTH, LEFT, BLUE, RED = 640, 140, "#0072B2", "#D55E00"


def _across(value: float, most: float) -> float:
    """Return where a value stands between the left and the right margin, 0 on the left."""
    return float(LEFT + value / most * (WIDTH - LEFT - 100))


def _axis(most: float, y: float, write: Callable[[float], str]) -> str:
    """Return an axis from 0 to `most` with a number at 1, 2 or 5 times a power of ten."""
    unit = 10 ** math.floor(math.log10(most))
    step = next(unit * k for k in (0.2, 0.5, 1.0, 2.0) if most / (unit * k) <= 6)
    ticks = [step * n for n in range(int(most / step) + 1)]
    rows = [
        _text(_across(tick, most), y + 18, write(tick) if tick else "0", "middle") for tick in ticks
    ]
    return "\n".join([_line([(LEFT, y), (_across(most, most), y)], "#666666"), *rows])


def _text(x: float, y: float, text: str, anchor: str) -> str:
    for sign, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, name)
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def _dot(x: float, y: float, colour: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}" fill-opacity="0.6"/>'


def _line(points: list[tuple[float, float]], colour: str) -> str:
    places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _svg(rows: list[str], height: float) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
    head += 'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
    return "\n".join([head, *rows, "</svg>"])


def _samples(name: str, samples, least: int = 1) -> np.ndarray:
    """Return samples as an array of float64; ValueError unless there are enough, all finite."""
    x = np.asarray(samples if hasattr(samples, "__array__") else list(samples), dtype=np.float64)
    if x.ndim == 0 or len(x) < least:
        raise ValueError(f"{name}: expected at least {least} samples, got {x.size}")
    if not np.isfinite(x).all():
        raise ValueError(f"{name}: expected finite samples, got NaN or infinity")
    return x


def _at_least(name: str, **limits: tuple[int, int]) -> None:
    """Refuse the first number that is below its limit."""
    for what, (value, least) in limits.items():
        if value < least:
            raise ValueError(f"{name}: expected {what} >= {least}, got {value}")
