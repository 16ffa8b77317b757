"""What attention cannot be computed of is refused in one line, before anything is computed."""

import numpy as np
import pytest

from tinytorch.attention import MultiHeadAttention, attention_weights, scaled_dot_product_attention
from tinytorch.tensor import Tensor


def tensors(*shapes, dtype=np.float32):
    """Zeros of these shapes."""
    return [Tensor(np.zeros(shape, dtype)) for shape in shapes]


THREE = ((2, 3, 4), (2, 5, 4), (2, 5, 6))


@pytest.mark.parametrize(
    "shapes",
    [
        ((2, 3, 4), (2, 5, 3), (2, 5, 6)),  # sizes of query and key
        ((2, 3, 4), (2, 5, 4), (2, 4, 6)),  # numbers of keys and values
        ((2, 3, 4), (3, 5, 4), (3, 5, 6)),  # batches
        ((2, 3, 4), (1, 5, 4), (1, 5, 6)),  # a batch of one is not spread silently
        ((2, 3, 4), (5, 4), (5, 6)),
        ((4,), (5, 4), (5, 6)),
        ((3, 0), (5, 0), (5, 6)),  # nothing to ask by
    ],
)
def test_shapes_that_do_not_fit_are_refused_and_shown(shapes):
    """All three, as one looks for the wrong one."""
    with pytest.raises(ValueError) as refusal:
        scaled_dot_product_attention(*tensors(*shapes))
    message = str(refusal.value)
    assert message.startswith("attention: expected query (..., L, E)")
    assert all(str(shape) in message for shape in shapes)


@pytest.mark.parametrize("number", range(3))
def test_other_kinds_are_refused(number):
    """Ints, arrays, and floats of another size."""
    for wrong in (np.zeros(THREE[number]), *tensors(THREE[number], dtype=np.int64)):
        given = tensors(*THREE)
        given[number] = wrong
        with pytest.raises(TypeError, match="attention: expected Tensors of one floating dtype"):
            scaled_dot_product_attention(*given)
    given = tensors(*THREE)
    given[number] = Tensor(given[number].data, dtype=np.float64)
    with pytest.raises(TypeError, match="float64|float32"):
        scaled_dot_product_attention(*given)


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (np.zeros((3, 5)), TypeError, "got ndarray"),
        (Tensor(np.zeros((3, 5), int)), TypeError, "bools or float32, got int64: True is for keys"),
        (Tensor(np.zeros((3, 5))), TypeError, "got float64"),
        (Tensor(np.zeros((5, 3), bool)), ValueError, r"broadcast to \(2, 3, 5\), got \(5, 3\)"),
        (Tensor(np.zeros(5, bool)), ValueError, r"broadcast to \(2, 3, 5\), got \(5,\)"),
        (Tensor(np.zeros((1, 2, 3, 5), bool)), ValueError, r"got \(1, 2, 3, 5\)"),
        (Tensor(np.zeros((3, 3, 5), bool)), ValueError, r"got \(3, 3, 5\)"),
    ],
)
def test_masks_that_do_not_fit_are_refused(mask, error, message):
    """A mask of ints would be a guess: is 1 for what is seen or for what is hidden?"""
    query, key, value = tensors(*THREE)
    for call in (
        lambda: scaled_dot_product_attention(query, key, value, mask),
        lambda: attention_weights(query, key, mask),
    ):
        with pytest.raises(error, match=message):
            call()


@pytest.mark.parametrize("sizes", [(6, 4), (0, 1), (6, 0), (6, -1), (-6, 2)])
def test_heads_that_do_not_divide_the_size_are_refused(sizes):
    """Each has the same number of columns."""
    with pytest.raises(ValueError, match="expected an embed_dim that num_heads divides"):
        MultiHeadAttention(*sizes)


def test_a_layer_refuses_other_sizes_and_kinds():
    """Its own name is in the message, not that of a product within."""
    layer = MultiHeadAttention(4, 2)
    for shape in ((3, 5), (4,)):
        with pytest.raises(ValueError, match=r"MultiHeadAttention: expected \(\.\.\., T, 4\)"):
            layer(*tensors(shape))
    with pytest.raises(TypeError, match="MultiHeadAttention: expected a Tensor, got ndarray"):
        layer(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="attention: expected query"):
        layer(*tensors((2, 3, 4), (3, 3, 4)))
    with pytest.raises(ValueError, match=r"broadcast to \(2, 3, 3\), got \(3, 4\)"):
        layer(*tensors((3, 4)), attn_mask=Tensor(np.ones((3, 4), bool)))
