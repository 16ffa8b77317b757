"""What the checks of 19_benchmarking ask of a framework; each function travels alone."""

import numpy as np

import tinytorch as tt


def timed(blocks, fails):
    """What a timer says after each block, on a clock of the probe's own; some blocks fail."""
    now = [float(blocks[0])]
    timer, after = tt.benchmarking.Timer(clock=lambda: now[0]), []
    for seconds, fail in zip(blocks, fails, strict=True):
        same, reached = None, False
        try:
            with timer as same:
                now[0] += float(seconds)
                if fail:
                    raise KeyError("the block's own")
            reached = True
        except KeyError:
            pass
        now[0] += 100.0  # between blocks
        after.append([timer.seconds, timer.count, same is timer, reached, timer.started is None])
    return after


def nested(inside):
    """The blocks that a timer counts, with another timer or itself inside of a block."""
    timer = tt.benchmarking.Timer(clock=lambda: 1.0)
    with timer:
        with timer if inside else tt.benchmarking.Timer():
            pass
    return timer.count


def calibrated(times, least):
    """How many calls make a block of work whose calls take these times in turn; calls in all."""
    now, made = [5.0], []

    def work():
        now[0] += times[len(made) % len(times)]
        made.append(1)

    calls = tt.benchmarking.calls_per_block(work, least, lambda: now[0])
    return [calls, isinstance(calls, int), len(made)]


def calibrated_still(most):
    """How many calls are tried of work that takes no time at all."""
    module, made = tt.benchmarking, []
    theirs = module.MOST_CALLS
    try:
        module.MOST_CALLS = most
        calls = module.calls_per_block(lambda: made.append(1), 1.0, lambda: 3.0)
    finally:
        module.MOST_CALLS = theirs
    return [calls, len(made)]


def measured(times, settings, found):
    """Samples of work whose calls take these times in turn, the calls made, what was asked for."""
    module, now, made, asked = tt.benchmarking, [7.0], [], []

    def work():
        now[0] += times[len(made) % len(times)]
        made.append(1)

    def calls_per_block(work, least=0.01, clock=None):
        asked.append([len(made), least, clock is not None and clock() == now[0]])
        return found

    theirs = module.calls_per_block
    try:
        module.calls_per_block = calls_per_block
        samples = module.measure(work, clock=lambda: now[0], **settings)
    finally:
        module.calls_per_block = theirs
    return [samples, len(made), asked]


def described(samples, kind):
    """The numbers of a summary, and their types."""
    given = {"list": list, "array": np.array, "generator": iter}[kind](samples)
    summary = tt.benchmarking.describe(given)
    return [summary._asdict(), [type(value).__name__ for value in summary]]


def interval(samples, statistic, settings):
    """The bounds of an interval, and whether the samples are as they were."""
    own = {
        "median": np.median,
        "mean": np.mean,
        "largest": np.max,
        "ratio": lambda x: np.mean(x[:, 0]) / np.mean(x[:, 1]),
    }
    before = np.array(samples)
    low, high = tt.benchmarking.bootstrap_interval(samples, own[statistic], **settings)
    return [low, high, type(low).__name__, bool((before == samples).all())]


def interval_by_default(samples, resamples):
    """The bounds of the median, at the confidence and with the seed that nobody has to name."""
    return list(tt.benchmarking.bootstrap_interval(samples, resamples=resamples))


def compared(first, second, settings, found):
    """The pairs of two rivals whose calls take these times in turn, and the order of all calls."""
    module, now, log, asked = tt.benchmarking, [2.0], [], []

    def rival(name, times):
        def work():
            now[0] += times[log.count(name) % len(times)]
            log.append(name)

        return work

    def calls_per_block(work, least=0.01, clock=None):
        work()
        name = log.pop()
        asked.append([name, log.count(name), least, clock is not None and clock() == now[0]])
        return found[len(asked) - 1]

    theirs = module.calls_per_block
    try:
        module.calls_per_block = calls_per_block
        a, b = rival("a", first), rival("b", second)
        comparison = module.compare(a, b, clock=lambda: now[0], **settings)
    finally:
        module.calls_per_block = theirs
    return [comparison.pairs, "".join(log), asked]


def ratio(pairs):
    """The ratio of two columns of times."""
    found = tt.benchmarking.ratio_of_medians(pairs)
    return [found, type(found).__name__]


def verdicts(bounds, pairs, settings):
    """What is said of intervals that this probe brings along, and how sure they were to be."""
    module, said, asked = tt.benchmarking, [], set()
    theirs, now = module.bootstrap_interval, []

    def bootstrap_interval(samples, statistic=None, confidence=0.95, resamples=1000, seed=0):
        asked.add(float(confidence))
        return tuple(now)

    try:
        module.bootstrap_interval = bootstrap_interval
        for now[:] in bounds:
            said.append(module.Comparison(pairs).verdict(**settings))
    finally:
        module.bootstrap_interval = theirs
    return [said, sorted(asked)]


def front(points, maximize):
    """The numbers of the points that nothing dominates."""
    found = tt.benchmarking.pareto_front(points, maximize)
    return [int(i) for i in found]
