"""A model as an entry: the same answers, the bits of Python's own integers, SciPy's interval."""

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import tinytorch as tt
from tinytorch import capstone
from tinytorch.capstone import (
    Candidate,
    Check,
    Layer,
    Race,
    agreement,
    chain,
    choose,
    compile_forward,
    pack,
    pack_bits,
    packed_bytes,
    quantize_rows,
    try_out,
    unpack,
    unpack_bits,
    write_entry,
)

pytestmark = pytest.mark.filterwarnings("error")


def layers(rng, *widths):
    """Return layers of random weights, ReLU in between."""
    return [
        Layer(
            rng.normal(0, 1, (n, m)).astype(np.float32),
            rng.normal(0, 1, n).astype(np.float32),
            n != widths[-1],
        )
        for m, n in zip(widths, widths[1:], strict=False)
    ]


def test_every_example_is_true():
    """The docstrings run."""
    assert doctest.testmod(capstone).failed == 0


def test_a_trained_looking_model_answers_the_same_as_a_chain():
    """Norms with moments of their own, nested, with and without weight and bias."""
    rng = np.random.default_rng(0)
    norms = tt.BatchNorm1d(6), tt.BatchNorm1d(4, affine=False, eps=0.1)
    for norm in norms:
        for tensor in (norm.running_mean, *norm.parameters()):
            tensor.data[...] = rng.normal(0, 1, tensor.shape)
        norm.running_var.data[...] = rng.uniform(0.2, 3, norm.running_var.shape)
    first = tt.Sequential(tt.Linear(5, 6), norms[0], tt.ReLU())
    model = tt.Sequential(first, tt.Dropout(0.5), tt.Linear(6, 4, bias=False), norms[1]).eval()
    images = rng.normal(0, 1, (7, 5)).astype(np.float32)
    with tt.no_grad():
        wanted = model(tt.Tensor(images)).numpy()
    found = chain(model)
    np.testing.assert_allclose(compile_forward(found)(images), wanted, rtol=1e-5, atol=1e-6)
    assert [layer.relu for layer in found] == [True, False]


@given(st.integers(2, 8), st.data())
def test_bits_are_those_of_two_s_complement(bits, data):
    """Python writes them as text; and what was packed comes back."""
    ends = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    values = np.array(data.draw(st.lists(st.integers(*ends), max_size=20)), np.int8)
    text = "".join(format(int(value) % 2**bits, f"0{bits}b") for value in values)
    packed = pack_bits(values, bits)
    assert "".join(format(byte, "08b") for byte in packed) == text + "0" * (-len(text) % 8)
    assert (unpack_bits(packed, len(values), bits) == values).all()


@pytest.mark.parametrize("bits", range(2, 9))
def test_a_weight_is_off_by_half_a_step_at_most(bits):
    """Up to the rounding of the scale to two bytes, of which the largest feels most."""
    weight = np.random.default_rng(bits).normal(0, 1, (20, 50)).astype(np.float32)
    q, scale = quantize_rows(weight, bits)
    step = scale.astype(np.float64)[:, None]
    rounding = np.abs(weight).max(axis=1, keepdims=True) * 2.0**-11
    assert (np.abs(q * step - weight) <= step / 2 + rounding).all()


@given(st.lists(st.integers(1, 9), min_size=2, max_size=4), st.integers(2, 8), st.integers(0, 99))
def test_what_was_packed_is_unpacked_and_as_long_as_was_said(widths, bits, seed):
    """A second round changes nothing: what stands in few bits stays there."""
    model = layers(np.random.default_rng(seed), *widths)
    data = pack(model, bits)
    assert len(data) == packed_bytes(model, bits)
    found = unpack(data)
    assert [one.weight.shape for one in found] == [one.weight.shape for one in model]
    assert [one.relu for one in found] == [one.relu for one in model]
    for one, other in zip(model, found, strict=True):
        np.testing.assert_allclose(other.bias, one.bias, rtol=2.0**-11, atol=1e-7)


@given(st.integers(0, 60), st.integers(0, 255))
def test_a_changed_or_shortened_file_is_read_or_refused(place, byte):
    """Nothing but ValueError comes of it, whatever the bytes are."""
    data = bytearray(pack(layers(np.random.default_rng(1), 4, 3, 2), 3))
    data[place % len(data)] = byte
    for one in (bytes(data), bytes(data[:place])):
        try:
            unpack(one)
        except ValueError:
            continue
        assert len(one) == len(data)


def test_numbers_that_two_bytes_do_not_hold_are_refused():
    """Neither infinity nor a wrong number is written in their place."""
    large = Layer(np.full((1, 1), 1e9, np.float32), np.zeros(1, np.float32))
    with pytest.raises(ValueError, match="scale of at most 65504"):
        pack([large], 8)
    with pytest.raises(ValueError, match="bias of at most 65504"):
        pack([Layer(np.ones((1, 1), np.float32), np.array([-7e4], np.float32))], 8)
    with pytest.raises(ValueError, match="bits for 1 layers, got 2"):
        pack([large], [8, 8])


@pytest.mark.parametrize(("right", "count"), [(1, 9), (97, 100), (50, 50), (0, 7), (3999, 4000)])
def test_the_lower_end_is_that_of_scipy(right, count):
    """Wilson's interval without a correction for continuity."""
    interval = stats.binomtest(right, count).proportion_ci(0.95, method="wilson")
    z = float(stats.norm.ppf(0.975))
    assert Check(right, count).lower(z) == pytest.approx(interval.low, abs=1e-12)


def test_the_lower_share_of_all_batches_counts():
    """A function that is wrong in batches is found out by them."""
    images, labels = np.eye(4, dtype=np.float32), np.arange(4)
    assert try_out(lambda x: x, images, labels, (1, 3)) == Check(4, 4)
    assert try_out(lambda x: x if len(x) == 1 else x[::-1], images, labels, (1, 4)) == Check(0, 4)
    with pytest.raises(ValueError, match="agreement"):
        try_out(lambda x: x[:1], images, labels)


def test_equal_logits_are_the_first_class():
    """As NumPy's argmax has it, for both models."""
    assert agreement(np.zeros((2, 3)), np.array([0, 1])) == Check(1, 2)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ([[np.nan, 1.0, 2.0]], "finite"),
        ([[1.0, 2.0, np.inf]], "finite"),
        ([[0.0, 1.0]], r"expected logits for \(1, 2\), got \(1, 3\)"),
        ([[[0.0]]], "expected logits for"),
        ([0.0, 1.0], "expected logits for"),
        (0, r"expected logits for \(\), got"),
    ],
)
def test_what_cannot_be_agreed_with_is_refused(wanted, message):
    """The other model may say NaN, too, and argmax would take it."""
    with pytest.raises(ValueError, match=f"agreement: .*{message}"):
        agreement(np.array([[1.0, 2.0, 3.0]]), np.array(wanted))


def test_an_interval_of_a_race_holds_its_speedup():
    """Turns are drawn whole: what was slow for one work of a turn was slow for all."""
    pairs = np.random.default_rng(0).uniform(1, 2, (12, 2, 2)) * [3.0, 1.0]
    found = Race(pairs)
    low, high = found.interval()
    assert low < found.speedup < high and 1.5 < low and high < 6


def test_nothing_to_choose_from_is_refused():
    """Neither from nothing nor from what is not sure."""
    for tried in ([], [Candidate("lucky", 10, Check(10, 10))]):
        with pytest.raises(ValueError, match="surely right in 96%"):
            choose(tried, 0.96)


def test_what_is_safe_is_found_behind_a_lucky_one():
    """Ten of ten are fewer bytes and a larger share, and surely right in 72 % alone."""
    tried = [Candidate("lucky", 100, Check(10, 10)), Candidate("safe", 200, Check(990, 1000))]
    front, best = choose(tried, 0.96)
    assert front == tried and best.name == "safe"


@pytest.mark.parametrize("track", capstone.SOURCES)
def test_a_written_entry_answers(track, tmp_path):
    """Its source is a module with a function `load`."""
    model = layers(np.random.default_rng(0), 64, 128, 64, 10)
    data = pack(model, 8)
    paths = write_entry(tmp_path / "entry", track, data if track == "featherweight" else None)
    space = {}
    exec(paths[0].read_text(encoding="utf-8"), space)
    arrays = {
        f"{2 * i}.{name}": getattr(one, name)
        for i, one in enumerate(model)
        for name in ("weight", "bias")
    }
    forward = space["load"](paths[1].read_bytes() if len(paths) > 1 else arrays)
    images = np.random.default_rng(1).random((3, 64), np.float32)
    wanted = compile_forward(unpack(data) if len(paths) > 1 else model)(images)
    assert (forward(images) == wanted).all()
    with pytest.raises(ValueError, match="one of featherweight, sprint"):
        write_entry(tmp_path, "run", b"")
