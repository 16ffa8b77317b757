"""no_grad and enable_grad: contexts and decorators, nested, in generators and threads."""

import threading

import pytest

from tinytorch.autograd import enable_grad, no_grad
from tinytorch.tensor import Tensor

X = Tensor([1.0], requires_grad=True)


def recording():
    """Is a recipe left here and now?"""
    return (X * 2).requires_grad


def test_contexts_nest_and_end():
    """Each puts back what it found."""
    seen = [recording()]
    with no_grad():
        seen.append(recording())
        with enable_grad():
            seen.append(recording())
            with no_grad():
                seen.append(recording())
            seen.append(recording())
        seen.append(recording())
    seen.append(recording())
    assert seen == [True, False, True, False, True, False, True]


def test_one_context_may_be_entered_again_and_within_itself():
    """It remembers how it was, each time."""
    off = no_grad()
    for _ in range(2):
        with off:
            with enable_grad(), off:
                assert not recording()
            assert not recording()
        assert recording()


def test_an_error_puts_the_recording_back():
    """And is not swallowed."""
    with pytest.raises(ZeroDivisionError), no_grad():
        raise ZeroDivisionError
    assert recording()


@pytest.mark.parametrize("decorate", [no_grad(), no_grad], ids=["with ()", "without ()"])
def test_a_decorated_function_records_nothing_and_keeps_its_name(decorate):
    """Arguments, results and errors pass."""

    @decorate
    def measure(a, *, b):
        """Say it."""
        return recording(), a, b

    assert measure(1, b=2) == (False, 1, 2)
    assert recording()
    assert (measure.__name__, measure.__doc__) == ("measure", "Say it.")


def test_a_decorated_function_may_call_itself():
    """Every call switches and puts back for itself."""

    @no_grad()
    def down(n):
        with enable_grad():
            return [*down(n - 1), recording()] if n else [recording()]

    assert down(3) == [True] * 4
    assert recording()


def test_methods_can_be_decorated():
    """The object is the first argument."""

    class Model:
        @no_grad()
        def predict(self, x):
            return (x * 2).requires_grad

    assert Model().predict(X) is False


def test_enable_grad_decorates_too():
    """For a part that must record, whoever calls it."""
    with no_grad():
        assert enable_grad(recording)() is True
        assert not recording()


def test_a_generator_records_nothing_while_its_caller_does():
    """The switch is set for each step, and not between steps."""

    @no_grad()
    def steps():
        yield recording()
        received = yield recording()
        yield received, recording()
        return "end"

    seen, running = [], steps()
    seen += [next(running), recording(), next(running), recording()]
    seen += [running.send("hello"), recording()]
    with pytest.raises(StopIteration) as end:
        next(running)
    assert seen == [False, True, False, True, ("hello", False), True]
    assert end.value.value == "end"
    assert recording()


def test_errors_reach_into_a_generator_and_out_of_it():
    """Thrown in, caught there; raised there, seen here."""

    @no_grad()
    def steps():
        try:
            yield 1
        except KeyError:
            yield recording()
        raise ZeroDivisionError

    running = steps()
    next(running)
    assert running.throw(KeyError) is False
    with pytest.raises(ZeroDivisionError):
        next(running)
    assert recording()


def test_a_generator_that_is_closed_cleans_up_without_recording():
    """Its finally clause is a step as well."""
    seen = []

    @no_grad
    def steps():
        try:
            yield
        finally:
            seen.append(recording())

    running = steps()
    next(running)
    running.close()
    assert (seen, recording()) == ([False], True)


def test_each_thread_has_its_own_switch():
    """One evaluates while another trains; a decorated function may run in both."""
    seen, ready, go = [], threading.Event(), threading.Event()
    off = no_grad()

    def evaluate():
        with off:
            ready.set()
            go.wait(10)
            seen.append(recording())
        seen.append(recording())

    thread = threading.Thread(target=evaluate)
    thread.start()
    ready.wait(10)
    assert recording()
    go.set()
    thread.join()
    assert seen == [False, True]
