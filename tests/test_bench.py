"""The yardstick itself: what is measured is what is said. No test here depends on a clock."""

from __future__ import annotations

import sys

import pytest

from tests.bench.measure import Bar, interleave, median_ratio, run, tree_peak
from tests.bench.peers import Peer, growth, times

MB = 1_000_000
HOLD = "held = b'x' * {size}"
IN_A_CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}], check=True)"


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


@pytest.mark.parametrize(
    "measured, at_least, met",
    [(2.5, True, True), (2.4, True, False), (2.5, False, True), (2.6, False, False)],
)
def test_a_promise_is_kept_at_its_target_and_broken_beyond_it(measured, at_least, met):
    """`make bench` ends with 1 by this."""
    assert Bar("name", 2.5, measured, at_least=at_least).met is met


def test_what_was_not_measured_is_neither_met_nor_missed():
    """A machine without PyTorch must not look like a fast one."""
    assert Bar("name", 2.5, None).met is None


def test_rounds_take_turns_and_keep_the_sides_apart():
    """Whoever goes second in one round goes first in the next; ours stays on the left."""
    calls = []
    pairs = interleave(lambda: calls.append("a") or 1, lambda: calls.append("b") or 2, 3)
    assert calls == ["a", "b", "b", "a", "a", "b"]
    assert pairs == [(1, 2)] * 3


def test_the_ratio_is_the_median_of_the_rounds():
    """One slow round does not move it."""
    assert median_ratio([(1.0, 2.0), (3.0, 4.0), (100.0, 1.0)]) == 0.75


def test_a_failed_command_is_no_measurement(tmp_path):
    """Otherwise a crash would be the fastest way."""
    with pytest.raises(RuntimeError, match="ended with 3:\nlast words"):
        run(python("print('last words'); raise SystemExit(3)"), tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, as the sandbox does")
def test_the_memory_of_a_tree_is_the_sum_of_its_processes(tmp_path):
    """A parent and its child hold 100 MB each while the child waits to be told to end."""
    child = f"{HOLD.format(size=100 * MB)}; import time; time.sleep(0.3)"
    peak = tree_peak(
        python(f"{HOLD.format(size=100 * MB)}; {IN_A_CHILD.format(code=child)}"), tmp_path
    )
    assert 200 * MB < peak < 300 * MB


def holding(megabytes: int):
    """A peer: its step fills so much memory and lets it go; none at all ends the process."""
    if not megabytes:
        raise SystemExit(3)
    return lambda: bytearray(b"x") * (megabytes * MB) and None


HOLDING = "tests.test_bench:holding"


def test_two_peers_take_turns_and_each_round_has_both_times():
    """What was measured is CPU time of the process itself, not of the parent that waits."""
    pairs = times(HOLDING, HOLDING, (40,), steps=1, rounds=2)
    assert len(pairs) == 2
    assert min(min(pair) for pair in pairs) > 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, as the sandbox does")
def test_the_growth_of_a_peer_is_what_it_held_at_its_worst_moment():
    """The memory is let go before anybody looks; what the tiny one took does not count."""
    assert 99 * MB < growth(HOLDING, (1,), (100,))["growth"] < 110 * MB


def test_a_peer_that_ends_is_no_measurement():
    """Otherwise a crash would be the fastest way."""
    with Peer(HOLDING) as peer, pytest.raises(RuntimeError, match="ended with 3 at make"):
        peer.ask("make", 0)
