"""What convolutions, pools and batch norms refuse, and that they say why."""

import numpy as np
import pytest

from tinytorch.convolutions import (
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    MaxPool2d,
    adaptive_avg_pool2d,
    avg_pool2d,
    batch_norm,
    conv2d,
    max_pool2d,
    output_size,
)
from tinytorch.tensor import Tensor

X, W, B = (Tensor(np.ones(shape)) for shape in ((2, 4, 5, 5), (6, 4, 3, 3), (6,)))
HALF = Tensor(np.ones((6, 2, 3, 3)))
VECTOR, THREE = Tensor(np.ones(4)), Tensor(np.ones(3))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: conv2d(Tensor(np.ones((4, 5, 5))), W), r"expected x \(N, C, H, W\)"),
        (lambda: conv2d(X, HALF), r"got \(2, 4, 5, 5\), \(6, 2, 3, 3\) and 1"),
        (lambda: conv2d(X, HALF, groups=0), "groups, got"),
        (lambda: conv2d(X, Tensor(np.ones((3, 2, 3, 3))), groups=2), "multiple of groups"),
        (lambda: conv2d(X, W, THREE), r"bias \(3,\)"),
        (lambda: conv2d(X, W, stride=0), "expected stride as an int of 1 or more"),
        (lambda: conv2d(X, W, stride=1.5), "expected stride as an int"),
        (lambda: conv2d(X, W, padding=-1), "expected padding as an int of 0 or more"),
        (lambda: conv2d(X, W, padding=(1, 1, 1)), "or a pair of them"),
        (lambda: conv2d(X, W, dilation=3), "a window of 7 does not fit into 5"),
        (lambda: conv2d(X, W, padding="same", stride=2), 'with stride 1 and odd spans "same"'),
        (lambda: conv2d(X, Tensor(np.ones((1, 4, 2, 3))), padding="same"), "odd spans"),
        (lambda: conv2d(X, W, padding="full"), "got 'full'"),
        (lambda: Conv2d(4, 6, 3, groups=4), "channels in groups of equal size"),
        (lambda: Conv2d(4, 6, 0), "expected kernel_size"),
        (lambda: output_size(2, 3, 1, 0), "use a smaller one, or more padding"),
        (lambda: max_pool2d(Tensor(np.ones((5, 5))), 2), r"expected images \(N, C, H, W\)"),
        (lambda: max_pool2d(X, 2, padding=2), "at most half of"),
        (lambda: avg_pool2d(X, 6), "does not fit"),
        (lambda: MaxPool2d(0)(X), "expected kernel_size"),
        (lambda: adaptive_avg_pool2d(X, 0), "expected output_size"),
        (lambda: batch_norm(X, None, None), "expected running moments in use, got None"),
        (lambda: batch_norm(X, THREE, THREE), r"others \(C,\), got \(2, 4, 5, 5\) and"),
        (lambda: batch_norm(VECTOR, None, None, training=True), r"expected x \(N, C"),
        (
            lambda: batch_norm(Tensor(np.ones((1, 4))), None, None, training=True),
            "expected several numbers per channel",
        ),
        (lambda: BatchNorm1d(4)(X), "expected 2 or 3 axes and 4 channels"),
        (lambda: BatchNorm2d(3)(X), "expected 4 axes and 3 channels"),
    ],
)
def test_what_has_no_meaning_is_refused(call, words):
    """The words say what was expected, what came, and often what to do."""
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: conv2d(X.data, W),
        lambda: conv2d(X, W.astype(np.float32)),
        lambda: conv2d(X.astype(np.int64), W.astype(np.int64)),
        lambda: max_pool2d(X.astype(np.int64), 2),
        lambda: batch_norm(X, VECTOR, VECTOR.astype(np.float32)),
    ],
)
def test_other_kinds_of_numbers_are_refused(call):
    """TypeError names the dtypes, or what came instead of a Tensor."""
    with pytest.raises(TypeError, match="expected a Tensor of floats|dtypes differ"):
        call()


def test_a_batch_that_is_refused_is_not_counted():
    """The running moments stay as they were, and so does the number of batches."""
    layer = BatchNorm1d(4)
    with pytest.raises(ValueError, match="several numbers"):
        layer(Tensor(np.ones((1, 4), np.float32)))
    assert layer.num_batches_tracked.item() == 0
    assert layer.running_mean.tolist() == [0.0] * 4
