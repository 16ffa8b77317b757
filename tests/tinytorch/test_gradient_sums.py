"""Whose memory the parts of a gradient are added up in."""

import numpy as np

from tests.tinytorch.test_autograd import leaf, same_table, taught  # noqa: F401  (a fixture)
from tinytorch.tensor import apply


def test_gradients_are_passed_by_reference_and_summed_in_own_memory():
    """The first part is kept as it is, the second makes an array, later ones are added to that."""
    seen = []

    def same(a):
        return +a

    def rule(y, a):
        return lambda g: seen.append(g) or g

    taught(same, rule)
    x, g = leaf(1.0, 2.0), np.array([1.0, 2.0])
    y = apply(same, x)
    z = apply(same, y) + y
    apply(same, z + y).backward(g)
    assert [one is g for one in seen] == [True, True, False]
    assert (seen[2].tolist(), g.tolist(), x.grad.tolist()) == ([3.0, 6.0], [1.0, 2.0], [3.0, 6.0])


def test_what_a_rule_gives_twice_or_keeps_is_not_added_to():
    """One array for two inputs is one leaf's and a copy the other's; no sum is written into it."""
    kept = []

    def both(a, b):
        return a + b

    def rule(y, a, b):
        made = []

        def pull(g):
            made.append(2 * g)
            kept.append(made[0])
            return made[0]

        return pull, pull

    taught(both, rule)
    x, y = leaf(1.0), leaf(3.0)
    (apply(both, x, y) + 5 * x).sum().backward()
    (5 * x + apply(both, x, y)).sum().backward()
    assert (x.grad.tolist(), y.grad.tolist()) == ([14.0], [4.0])
    assert [one.tolist() for one in kept] == 4 * [[2.0]]


def test_what_a_rule_closed_is_not_written_into():
    """A part that may be read only is as good as one that somebody has."""

    def closed(a):
        return +a

    def rule(y, a):
        def pull(g):
            part = 2 * g
            part.setflags(write=False)
            return part

        return pull

    taught(closed, rule)
    x = leaf(1.0)
    y = x + 0
    (apply(closed, y) + apply(closed, y) + apply(closed, x) + apply(closed, x)).sum().backward()
    assert x.grad.tolist() == [8.0]


def test_a_part_that_nobody_else_has_takes_the_sum():
    """The memory that a rule made is used again, whether it comes first or second."""
    made = []

    def fresh(a):
        return +a

    def rule(y, a):
        def pull(g):
            part = np.array(g)
            made.append(part.ctypes.data)
            return part

        return pull

    taught(fresh, rule)
    for turned in (False, True):
        x = leaf(1.0, 2.0)
        parts = [apply(fresh, x), x + 0]
        total = parts[turned] + parts[not turned]
        total.sum().backward()
        assert x.grad.data.ctypes.data == made.pop() and x.grad.tolist() == [2.0, 2.0]
