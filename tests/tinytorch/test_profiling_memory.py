"""The memory that a profiler sees: what is there, what went, and when nobody looked."""

import gc

import numpy as np
import pytest

from tinytorch.profiling import Memory, Profiler
from tinytorch.tensor import apply, from_numpy, randn, zeros

pytestmark = pytest.mark.filterwarnings("error")


def test_live_bytes_are_those_of_the_arrays_that_are_alive():
    """Against what Python itself knows to be there, after a random walk of births and deaths."""
    rng, alive = np.random.default_rng(0), []
    with Profiler() as profile:
        for _ in range(200):
            if alive and rng.random() < 0.5:
                alive.pop(int(rng.integers(len(alive))))
            else:
                one = randn(int(rng.integers(1, 50)), 4) + 1
                alive.append(one.T if rng.random() < 0.3 else one)
        del one
        gc.collect()
        assert profile.live == sum(one.nbytes for one in alive)
        assert max(size for _, size in profile.memory.timeline()) == profile.peak


def test_what_is_freed_after_the_profiler_is_closed_is_not_seen():
    """It watches no longer, and nothing is called when an array dies."""
    with Profiler() as profile:
        y = randn(3) + 1
    changes = list(profile.memory.changes)
    del y
    assert profile.memory.changes == changes
    assert profile.live == 12


def test_a_profiler_that_is_opened_again_knows_what_was_freed_in_between():
    """Three times 4,000 bytes, never two at once; what outlives the pause is watched as before."""
    profile, x, kept = Profiler(), zeros(1000), []
    for _ in range(3):
        with profile:
            y = x + 1
        del y
        assert (profile.live, profile.peak) == (4000, 4000)
    with profile:
        kept.append(x + 1)
    with profile:
        assert profile.live == 4000
        kept.clear()
        assert profile.live == 0
    assert profile.peak == 4000


def test_an_array_of_foreign_memory_is_its_own_owner():
    """Bytes that NumPy did not make have no array behind them."""
    array = np.frombuffer(bytes(12), np.float32)
    assert Memory().track(array[1:]) == 12


def test_what_an_operation_keeps_in_a_dict_is_memory_too():
    """Attention leaves its weights there for its gradient: S² numbers that nobody sees."""

    def keeping(x, kept):
        kept["square"] = x * x
        return x + 1

    kept = {}
    with Profiler() as profile:
        apply(keeping, zeros(3), kept=kept)
        assert profile.live == 12  # the result is gone, what is kept is not
    assert profile.operations[0].allocated == 24


def test_inputs_are_not_what_operations_made():
    """Data and parameters were there before: only results count as allocated."""
    x = from_numpy(np.ones((100, 100)))
    with Profiler() as profile:
        x.T.reshape(10_000)[:100].sum()
    assert profile.peak == 100 * 100 * 8 + 8
