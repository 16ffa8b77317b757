"""What module 20 must do. Run it with `tito test 20`; the first sentence below a name says why."""

import numpy as np
import pytest

from tinytorch.activations import ReLU
from tinytorch.capstone import (
    Candidate,
    Check,
    Layer,
    agreement,
    chain,
    choose,
    compile_forward,
    fold_batchnorm,
    geometric_speedup,
    pack,
    pack_bits,
    packed_bytes,
    quantize_rows,
    race,
    unpack,
    unpack_bits,
)
from tinytorch.convolutions import BatchNorm1d
from tinytorch.layers import Dropout, Linear, Sequential

pytestmark = pytest.mark.filterwarnings("error")

SMALL = Layer(np.array([[0.5, -1.75]], np.float32), np.array([1.0], np.float32), True)
PACKED = bytes.fromhex("5454 01 0100 0200 04 01 0034 003c 29".replace(" ", ""))


def norm():
    """Return a BatchNorm1d of two outputs that has seen something."""
    layer = BatchNorm1d(2, eps=0.25)
    layer.running_mean.data[:], layer.running_var.data[:] = [1.0, -2.0], [0.75, 3.75]
    layer.weight.data[:], layer.bias.data[:] = [2.0, 4.0], [5.0, 0.0]
    return layer.eval()


@pytest.mark.task("fold_batchnorm")
def test_a_folded_norm_is_a_linear_layer():
    """Gains are 2 / 1 and 4 / 2: rows are doubled, and so is the bias, less the mean."""
    layer = Layer(np.array([[1.0, 2.0], [3.0, 0.0]], np.float32), np.array([3.0, 0.0], np.float32))
    folded = fold_batchnorm(layer, norm())
    assert folded.weight.tolist() == [[2.0, 4.0], [6.0, 0.0]]
    assert folded.bias.tolist() == [9.0, 4.0]
    assert folded.weight.dtype == folded.bias.dtype == np.float32


@pytest.mark.task("fold_batchnorm")
def test_a_chain_answers_as_the_model_in_use():
    """Norm and ReLU become part of the layer before them, and Dropout is gone."""
    first, last = Linear(3, 2), Linear(2, 2, bias=False)
    layers = chain(Sequential(Sequential(first, ReLU()), Dropout(0.5), last))
    assert [layer.relu for layer in layers] == [True, False]
    assert (layers[0].weight == first.weight.data).all() and layers[1].bias.tolist() == [0, 0]
    assert not np.shares_memory(layers[0].weight, first.weight.data)


@pytest.mark.task("fold_batchnorm")
def test_a_chain_refuses_what_it_cannot_hold():
    """After a ReLU, a norm is no part of the Linear any more."""
    for model in (Sequential(ReLU()), Sequential(Linear(2, 2), ReLU(), norm()), Sequential()):
        with pytest.raises(ValueError, match="chain"):
            chain(model)


@pytest.mark.task("pack_bits")
def test_three_bits_take_three_bits():
    """1, -1, -4 and 3 are 001, 111, 100 and 011: 0011 1110 0011 and four bits that are left."""
    values = np.array([1, -1, -4, 3], np.int8)
    assert pack_bits(values, bits=3).hex() == "3e30"
    assert unpack_bits(bytes.fromhex("3e30"), count=4, bits=3).tolist() == [1, -1, -4, 3]
    assert unpack_bits(bytes.fromhex("3e30"), count=4, bits=3).dtype == np.int8


@pytest.mark.task("pack_bits")
def test_integers_that_do_not_fit_are_refused():
    """Three bits go from -4 to 3; four of them are two bytes."""
    with pytest.raises(ValueError, match="-4 to 3"):
        pack_bits(np.array([4], np.int8), bits=3)
    with pytest.raises(ValueError, match="2 bytes"):
        unpack_bits(b"abc", count=4, bits=3)


@pytest.mark.task("quantize_rows")
def test_each_row_has_its_own_scale():
    """1.75 / 7 and 14 / 7 are exact in two bytes."""
    q, scale = quantize_rows(np.array([[0.5, -1.75], [3.0, 14.0]], np.float32), bits=4)
    assert q.tolist() == [[2, -7], [2, 7]] and q.dtype == np.int8
    assert scale.tolist() == [0.25, 2.0] and scale.dtype == np.float16


@pytest.mark.task("quantize_rows")
def test_integers_are_made_with_the_scale_that_is_kept():
    """1 / 127 becomes a little less in two bytes, and 0.79131 is then 101 steps, not 100."""
    q, _ = quantize_rows(np.array([[1.0, 0.79131]], np.float32), bits=8)
    assert q.tolist() == [[127, 101]]


@pytest.mark.task("pack")
def test_the_size_is_known_before_packing():
    """3 bytes, and of each layer 6, 4 for each row, and 7 weights of 5 bits in 5 bytes."""
    layer = Layer(np.ones((1, 7), np.float32), np.ones(1, np.float32))
    assert packed_bytes([layer], bits=5) == 3 + 6 + 4 + 5
    assert packed_bytes([layer, layer], bits=[5, 8]) == 3 + 15 + 17


@pytest.mark.task("pack")
def test_a_layer_becomes_fourteen_bytes():
    """MARK, 1 layer; 1 row, 2 columns, 4 bits, ReLU; 0.25 and 1.0 in two bytes each; 2 and -7."""
    assert pack([SMALL], bits=4) == PACKED


@pytest.mark.task("unpack")
def test_fourteen_bytes_become_a_layer():
    """What was exact in four bits comes back as it was."""
    (layer,) = unpack(PACKED)
    assert layer.weight.tolist() == SMALL.weight.tolist() and layer.bias.tolist() == [1.0]
    assert layer.relu is True and layer.weight.dtype == layer.bias.dtype == np.float32


@pytest.mark.task("unpack")
def test_other_bytes_are_refused():
    """Cut off, with something behind, and of another kind."""
    for data in (PACKED[:-1], PACKED + b"x", b"PK" + PACKED[2:], b""):
        with pytest.raises(ValueError, match="unpack"):
            unpack(data)


@pytest.mark.task("compile_forward")
def test_a_compiled_chain_answers_as_the_layers():
    """The product, the bias, and nothing below 0; in batches of any size."""
    weights = np.array([[1.0, -1.0], [0.0, 2.0]], np.float32), np.array([[1.0, 1.0]], np.float32)
    layers = [Layer(weights[0], np.zeros(2, np.float32), True)]
    layers += [Layer(weights[1], np.array([-9.0], np.float32))]
    forward = compile_forward(layers)
    images = np.array([[1.0, 3.0], [3.0, 1.0], [0.0, 0.0]], np.float32)
    first = forward(images)
    assert first.tolist() == [[-3.0], [-5.0], [-9.0]]
    assert forward(images[:1]).tolist() == [[-3.0]]
    forward(images[::-1])
    assert first.tolist() == [[-3.0], [-5.0], [-9.0]], "the next call changed an older answer"


@pytest.mark.task("agreement")
def test_agreement_counts_rows():
    """The largest logit decides, against labels and against another model."""
    logits = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]])
    assert agreement(logits, np.array([1, 0, 0])) == Check(2, 3)
    assert agreement(logits, logits[:, ::-1]) == Check(0, 3)
    with pytest.raises(ValueError, match="finite"):
        agreement(np.array([[0.0, np.nan]]), np.array([1]))
    with pytest.raises(ValueError, match="expected logits"):
        agreement(logits, np.array([1, 0]))


@pytest.mark.task("agreement")
def test_ten_of_ten_are_not_all_of_all():
    """Wilson's interval knows how few ten are."""
    assert Check(10, 10).lower() == pytest.approx(0.7225, abs=1e-4)
    assert Check(970, 1000).lower() == pytest.approx(0.9575, abs=1e-4)
    assert Check(0, 5).lower() == pytest.approx(0, abs=1e-12)


@pytest.mark.task("race")
def test_twice_here_and_half_there_is_no_gain():
    """The median of each column first, then the geometric mean over the works."""
    pairs = np.array([[[2.0, 1.0], [1.0, 2.0]], [[4.0, 2.0], [2.0, 4.0]], [[90.0, 3.0], [3.0, 6]]])
    assert geometric_speedup(pairs) == pytest.approx(1.0)
    assert geometric_speedup(pairs[:, :1]) == pytest.approx(2.0)


@pytest.mark.task("race")
def test_a_race_times_both_on_every_work():
    """On a clock of the test's own: 3 s and 1 s for each row."""
    now = [0.0]

    def takes(seconds):
        def work(x):
            now[0] += seconds * len(x)

        return work

    works = [np.ones(1), np.ones(4)]
    found = race(takes(3.0), takes(1.0), works, lambda: now[0], blocks=2, least=9.0)
    assert found.pairs.tolist() == [[[3.0, 1.0], [12.0, 4.0]]] * 2
    assert found.speedup == pytest.approx(3.0)


@pytest.mark.task("race")
def test_the_smallest_that_is_surely_good_enough():
    """9 bits are dominated; 970 of 1000 may be 95.7 % of all."""
    names = {"9": (999, 980), "8": (900, 990), "6": (700, 985), "4": (400, 970), "2": (300, 500)}
    tried = [Candidate(name, size, Check(n, 1000)) for name, (size, n) in names.items()]
    front, best = choose(tried, least=0.96)
    assert [one.name for one in front] == ["8", "6", "4", "2"] and best.name == "6"
    with pytest.raises(ValueError, match="surely"):
        choose(tried, least=0.999)
