"""An answer counts only when structure, dtype, shape and values are the reference's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder.compare import Disagreement, brief, plain, require_finite, require_same

arrays = hnp.arrays(
    st.sampled_from([np.float32, np.float64, np.int64, np.bool_]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
values = st.recursive(
    scalars | arrays,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)


def same(got, want, rtol=1e-6, atol=0.0):
    """Compare as the checks do."""
    require_same(got, want, rtol=rtol, atol=atol)


@given(values)
def test_every_value_is_the_same_as_itself(value):
    """NaN included: what may not be NaN is refused by require_finite."""
    same(value, value)


@pytest.mark.parametrize(
    ("got", "want", "says"),
    [
        (np.zeros(2, np.float64), np.zeros(2, np.float32), "dtype float32, got float64"),
        (np.zeros((2, 1)), np.zeros(2), r"shape \(2,\), got \(2, 1\)"),
        (np.array([1.0, 2.0]), np.array([1.0, 3.0]), r"result\[1\]: expected 3.0, got 2.0 \(1 of"),
        (np.array([True]), np.array([False]), "expected False, got True"),
        (np.array(1.0), np.array(2.0), "result: expected 2.0"),
        ([1.0], np.array([1.0]), "an array of float64"),
        (1, True, "bool True, got int 1"),
        (1.0, 1, "int 1, got float 1.0"),
        ("a", "b", "expected 'b', got 'a'"),
        ([1, 2], [1], "expected 1 values, got 2"),
        ([1, [2]], [1, [3]], r"result\[1\]\[0\]: expected 3"),
        ({"a": 1}, {"b": 1}, r"keys \['b'\], got 'a'"),
        ({"a": 1.5}, {"a": 2.5}, r"result\['a'\]: expected 2.5"),
        (None, 0, "int 0, got NoneType"),
    ],
)
def test_a_difference_is_refused_and_named(got, want, says):
    """The message says where, what was expected and what came."""
    with pytest.raises(Disagreement, match=says):
        same(got, want)


def test_the_tolerance_is_relative_to_the_expected_value():
    """|got - want| <= atol + rtol·|want|, elementwise."""
    same(np.array([1000.5]), np.array([1000.0]), rtol=1e-3)
    with pytest.raises(Disagreement):
        same(np.array([1000.5]), np.array([1000.0]), rtol=1e-4)


@pytest.mark.parametrize("bad", [np.array([1.0, np.nan]), [1.0, float("inf")], {"a": [np.inf]}])
def test_a_value_that_is_not_finite_is_refused_wherever_it_hides(bad):
    """Arrays, floats, lists and dictionaries alike."""
    with pytest.raises(Disagreement, match="finite"):
        require_finite(bad)


def test_tuples_and_numpy_scalars_become_what_the_wire_knows():
    """The reference's value takes the form in which the student's arrives."""
    value = plain((1, np.float32(2), {"a": (None,)}))
    assert value[0] == 1 and value[1].shape == () and value[1].dtype == np.float32
    assert value[2] == {"a": [None]}


def test_saying_what_came_costs_little_whatever_its_size():
    """The text of a huge wrong answer is never made, only its first part."""
    rows = [np.zeros(1000, np.int8)] * 100_000
    for value in (rows, {"a": rows}, "x" * 10**7, np.zeros(10**6), list(range(10**6))):
        with pytest.raises(Disagreement) as refusal:
            same(value, None)
        assert len(str(refusal.value)) < 160
    assert len(brief(rows)) < 80
