"""What the checks of 14_profiling ask of a framework; each function travels alone."""

import numpy as np

import tinytorch as tt


def counted(counter, y, inputs, settings):
    """FLOPs by a counter, for arrays of these shapes; None stands for itself."""
    arrays = [None if shape is None else np.zeros(shape) for shape in inputs]
    return int(getattr(tt.profiling, counter)(np.zeros(y), *arrays, **settings))


def moved(case, x, other):
    """Bytes read and written by one of several operations."""
    index = np.array([1, 1, 0])
    op, y, inputs = {
        "two": (np.add, x + other, [x, other]),
        "twice": (np.multiply, x * x, [x, x]),
        "number": (np.add, x + 1, [x, 1, None]),
        "row": (tt.profiling.getitem, x[0], [x, (0, ...)]),
        "turned": (np.transpose, x[1:].T, [other, x[1:]]),
        "lookup": (tt.profiling.getitem, x[index], [x, (index, ...)]),
        "equal": (np.copy, x.copy(), [x]),
        "spread": (np.add, x + other[0], [x, other[0]]),
    }[case]
    return list(tt.profiling.moved_bytes(op, y, inputs))


def tracked(sizes, order):
    """Bytes returned and changes noted while arrays and views come and go, a second apart."""
    now = [0.0]
    memory = tt.Memory(lambda: now[0])
    arrays, returned = {}, []
    for what, number in order:
        now[0] += 1.0
        if what == "new":
            arrays[number] = np.zeros(sizes[number], np.float32)
            returned.append(memory.track(arrays[number]))
        elif what == "part":
            arrays[number] = np.zeros(sizes[number], np.float32)[1:]
            returned.append(memory.track(arrays[number]))
        elif what == "view":
            arrays[-1 - number] = arrays[number][1:].reshape(-1)
            returned.append(memory.track(arrays[-1 - number]))
        else:
            del arrays[number]
    return [returned, memory.changes]


def tracked_in_a_loop(sizes):
    """Bytes returned for arrays of which each is gone before the next, in the place of the last."""
    memory = tt.Memory(lambda: 0.0)
    returned = [memory.track(np.zeros(size, np.int8)) for size in sizes]
    return [returned, sum(size for _, size in memory.changes), len(memory.changes)]


def moments(changes):
    """The timeline that some changes make."""
    memory = tt.Memory(lambda: 0.0)
    memory.changes = [tuple(one) for one in changes]
    return [list(one) for one in memory.timeline()]


def ran(x, waits, names, kind):
    """What is recorded of an operation, by a profiler whose other parts are this probe's own."""
    now, given = [0.0], tt.profiling.moved_bytes

    def op(x, keep=None, scale=1):
        now[0] += waits[0]
        if kind == "view":
            return x[1:]
        if kind == "scalar":
            return x.sum() * scale
        return x * scale

    class Memory:
        changes = [(0.0, 4)]

        def track(self, array):
            now[0] += waits[1]
            self.changes.append((0.0, array.nbytes))
            return array.nbytes

    def moved_bytes(op, y, inputs):
        now[0] += waits[1]
        return len(inputs), y.nbytes

    def counter(y, x, keep=None, scale=1):
        now[0] += waits[1]
        return y.size * scale

    profile = tt.Profiler(lambda: now[0])
    profile.memory = Memory()
    profile._stack().extend(names)
    now[0] = waits[2]
    tt.profiling.moved_bytes = moved_bytes
    tt.profiling.flops(op)(counter)
    try:
        settings = {"scale": 3, "keep": {"w": np.zeros(5), "n": 1}} if kind == "keeps" else {}
        y = profile.run(op, [x], settings)
    finally:
        tt.profiling.moved_bytes = given
        del tt.profiling.COUNTERS[op]
    (one,) = profile.operations
    same_thread = one.thread == tt.profiling.threading.get_ident()
    new = [size for _, size in profile.memory.changes]
    return [y, list(one[:9]), same_thread, new, type(y) is np.ndarray]


def failed(message):
    """Operations recorded after one of two failed, and whether the error was the operation's."""

    def op(x):
        raise ValueError(message)

    profile = tt.Profiler()
    given = tt.profiling.moved_bytes
    tt.profiling.moved_bytes = lambda op, y, inputs: (0, 0)
    try:
        profile._allocated = lambda y, arrays, kwargs: 0
        profile.run(np.add, [np.ones(2), 1], {})
        profile.run(op, [np.ones(2)], {})
    except ValueError as error:
        return [str(error), [one.name for one in profile.operations]]
    finally:
        tt.profiling.moved_bytes = given


def called(waits, fails):
    """The stack in each layer of a small tree, the spans, and the stack afterwards."""
    now, seen = [0.0], []

    class Leaf(tt.Module):
        def __init__(self, wait):
            super().__init__()
            self.wait = wait

        def forward(self, x, times=1):
            now[0] += self.wait * times
            seen.append(list(profile._stack()))
            if fails and self.wait == waits[-1]:
                raise ArithmeticError("as asked")
            return x + times

    class Tree(tt.Module):
        def __init__(self):
            super().__init__()
            self.parts = [Leaf(wait) for wait in waits]

        def forward(self, x):
            for part in self.parts:
                x = profile.call(part, (x,), {"times": 2})
            return x

    profile, answers = tt.Profiler(lambda: now[0]), []
    tree = Tree()
    for module in (tree, tree.parts[0], Leaf(0.5)):
        try:
            answers.append(profile.call(module, (1,), {}))
        except ArithmeticError:
            answers.append("failed")
    spans = [list(span[:4]) for span in profile.spans]
    return [answers, seen, spans, profile._stack()]


def entered(waits, fails):
    """Who is in the seams within and after profilers in each other, and the seconds counted."""
    now, calls = [0.0], []

    class Quiet(tt.Profiler):
        def run(self, op, arrays, kwargs):
            calls.append(self.name + op.__name__)
            return self._compute(op, arrays, kwargs)

        def call(self, module, inputs, kwargs):
            calls.append(self.name + type(module).__name__)
            return self._forward(module, inputs, kwargs)

    theirs = Quiet()
    theirs.name = "theirs "
    before = (tt.tensor.set_runner(theirs.run), tt.layers.set_caller(theirs.call))
    profiles = [Quiet(lambda: now[0]) for _ in "ab"]
    try:
        for profile, name in zip(profiles, "ab", strict=True):
            profile.name = name
        x, layer, refused = tt.Tensor(np.ones(2)), tt.Identity(), False
        for _ in range(2):
            now[0] += waits[0]
            try:
                with profiles[0]:
                    now[0] += waits[1]
                    with profiles[1]:
                        now[0] += waits[2]
                        layer(x + x)
                        try:
                            profiles[0].__enter__()
                        except RuntimeError:
                            refused = True
                        if fails:
                            raise ArithmeticError("as asked")
                    layer(x * x)
            except ArithmeticError:
                pass
        layer(x - x)
    finally:
        left = (tt.tensor.set_runner(before[0]), tt.layers.set_caller(before[1]))
    back = [left[0] == theirs.run, left[1] == theirs.call]
    return [calls, back, refused, [profile.seconds for profile in profiles]]


def watched(sizes, fails):
    """What a memory notes of arrays that go while a profiler is open, closed, and open again."""
    now, arrays, weakref = [0.0], [], tt.profiling.weakref

    class Watching(tt.Memory):  # as it should be, whatever `track` is
        def track(self, array):
            key, size = id(array), array.nbytes

            def freed(_):
                self._alive.pop(key, None)
                self.changes.append((now[0], -size))

            self._alive[key] = weakref.ref(array, freed)
            self.changes.append((now[0], size))
            return size

    profile = tt.Profiler(lambda: now[0])
    memory = profile.memory = Watching(lambda: now[0])
    for _ in range(3):
        try:
            with profile:
                del arrays[:1]
                for size in sizes:
                    now[0] += 1.0
                    arrays.append(np.zeros(size))
                    memory.track(arrays[-1])
                if fails:
                    raise ArithmeticError("as asked")
        except ArithmeticError:
            pass
        now[0] += 1.0
        arrays.pop()
    return memory.changes[:]


def summed(operations, live, calls):
    """A row of operations."""
    made = [tt.profiling.Operation("op", (), *one) for one in operations]
    return list(tt.profiling.summarize("op", made, live, calls))


def layered(spans, operations, sizes):
    """The rows of layers of a profile that is made by hand."""
    profile = tt.Profiler(lambda: 0.0)
    profile.spans = [tt.profiling.Span(*one, 1) for one in spans]
    profile.operations = [
        tt.profiling.Operation("op", tuple(names), *numbers) for names, *numbers in operations
    ]

    class Memory:
        def timeline(self):
            return [(0.0, size) for size in sizes]

    profile.memory = Memory()
    return [list(row) for row in profile.by_layer()]


def traced(spans, operations, moments):
    """The events of a profile that is made by hand."""
    profile = tt.Profiler(lambda: 0.0)
    profile.spans = [tt.profiling.Span(*one) for one in spans]
    profile.operations = [tt.profiling.Operation(*one[:1], (), *one[1:]) for one in operations]

    class Memory:
        def timeline(self):
            return [tuple(one) for one in moments]

    profile.memory = Memory()
    trace = tt.chrome_trace(profile)
    return [sorted(trace), trace["displayTimeUnit"], trace["traceEvents"]]


def attained(peak, bandwidth, intensities):
    """What a machine can reach at each of some intensities."""
    machine = tt.Machine(peak, bandwidth)
    return [float(machine.attainable(intensity)) for intensity in intensities]
