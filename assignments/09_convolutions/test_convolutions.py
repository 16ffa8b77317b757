"""What module 09 must do. Run it with `tito test 09`; the first sentence below a name says why."""

import numpy as np
import pytest

from tinytorch.convolutions import (
    Conv2d,
    adaptive_avg_pool2d_array,
    adaptive_avg_pool2d_rule,
    avg_pool2d_array,
    avg_pool2d_rule,
    batch_norm,
    batch_norm_array,
    batch_norm_rule,
    channel_moments,
    conv2d_array,
    conv2d_loops,
    conv2d_rule,
    max_pool2d_array,
    max_pool2d_rule,
    output_size,
    patches,
)
from tinytorch.tensor import Tensor, manual_seed

pytestmark = pytest.mark.filterwarnings("error")

IMAGE = np.array([[[[1.0, 2.0, 0.0], [0.0, 1.0, 3.0], [2.0, 0.0, 1.0]]]])
KERNEL = np.array([[[[1.0, 2.0], [0.0, 1.0]]]])
PLAIN = ((1, 1), (0, 0), (1, 1), 1)  # stride, padding, dilation, groups
LINE = np.arange(1.0, 7.0).reshape(1, 1, 1, 6)


@pytest.mark.task("output_size")
def test_a_window_has_a_place_for_every_stride_that_fits():
    """Three of five numbers stand in three places; two apart, in two; dilated by two, in one."""
    assert output_size(5, 3, 1, 0) == 3
    assert output_size(5, 3, 2, 0) == 2
    assert output_size(6, 3, 2, 0) == 2
    assert output_size(5, 3, 1, 0, dilation=2) == 1
    assert output_size(5, 3, 2, 1) == 3


@pytest.mark.task("output_size")
def test_a_window_that_does_not_fit_is_refused():
    """A result without numbers would be found out much later."""
    with pytest.raises(ValueError):
        output_size(2, 3, 1, 0)
    assert output_size(2, 3, 1, 1) == 2


@pytest.mark.task("conv2d_loops")
def test_loops_give_the_example_of_the_lesson():
    """Multiply what lies on each other, add it up, move on."""
    assert conv2d_loops(IMAGE, KERNEL, None, *PLAIN).tolist() == [[[[6.0, 5.0], [2.0, 8.0]]]]


@pytest.mark.task("conv2d_loops")
def test_loops_add_a_bias_to_each_output_channel():
    """Two kernels, two biases."""
    both = np.concatenate([KERNEL, -KERNEL])
    y = conv2d_loops(IMAGE, both, np.array([0.5, 100.0]), *PLAIN)
    assert y.tolist() == [[[[6.5, 5.5], [2.5, 8.5]], [[94.0, 95.0], [98.0, 92.0]]]]


@pytest.mark.task("conv2d_loops")
def test_loops_know_stride_padding_and_dilation():
    """1, 3, 5, then with a zero in front 0 2 4 6; a kernel of two, so far apart, sees both ends."""
    one, two = np.ones((1, 1, 1, 1)), np.ones((1, 1, 1, 2))
    assert conv2d_loops(LINE, one, None, (1, 2), (0, 0), (1, 1), 1).tolist() == [[[[1, 3, 5]]]]
    padded = conv2d_loops(LINE, one, None, (1, 2), (0, 1), (1, 1), 1)
    assert padded.tolist() == [[[[0, 2, 4, 6]]]]
    assert conv2d_loops(LINE, two, None, (1, 1), (0, 0), (1, 5), 1).tolist() == [[[[7]]]]


@pytest.mark.task("conv2d_loops")
def test_each_group_of_outputs_sees_its_own_channels():
    """Four channels in two groups: the first output adds up 1 and 2, the second 3 and 4."""
    x, weight = np.arange(1.0, 5.0).reshape(1, 4, 1, 1), np.ones((2, 2, 1, 1))
    y = conv2d_loops(x, weight, None, (1, 1), (0, 0), (1, 1), 2)
    assert y.ravel().tolist() == [3.0, 7.0]


@pytest.mark.task("patches")
def test_patches_are_the_windows_of_the_lesson():
    """Row by row: 1 2 0 1, then 2 0 1 3, 0 1 2 0, 1 3 0 1."""
    view = patches(IMAGE.transpose(0, 2, 3, 1), (2, 2), (1, 1), (1, 1), (2, 2))
    rows = [[1, 2, 0, 1], [2, 0, 1, 3], [0, 1, 2, 0], [1, 3, 0, 1]]
    assert view.reshape(4, 4).tolist() == rows


@pytest.mark.task("patches")
def test_patches_copy_nothing():
    """It is the memory of x, seen with other strides."""
    x = np.zeros((2, 5, 6, 3))
    view = patches(x, (3, 2), (1, 2), (2, 1), (1, 3))
    assert view.shape == (2, 1, 3, 3, 2, 3)
    assert np.may_share_memory(view, x)
    x[1, 4, 5, 2] = 7
    assert view[1, 0, 2, 2, 1, 2] == 7


@pytest.mark.task("conv2d_array")
def test_the_fast_form_gives_the_example_too():
    """One product, the same four numbers."""
    bias = np.array([1.0])
    assert conv2d_array(IMAGE, KERNEL, bias, *PLAIN).tolist() == [[[[7.0, 6.0], [3.0, 9.0]]]]


@pytest.mark.task("conv2d_array")
def test_the_fast_form_knows_stride_padding_and_dilation():
    """Ones on the numbers 1 to 6, seen one by one, from the padding, and far apart."""
    one, two = np.ones((1, 1, 1, 1)), np.ones((1, 1, 1, 2))
    y = conv2d_array(LINE, one, None, (1, 2), (0, 1), (1, 1), 1)
    assert y.tolist() == [[[[0, 2, 4, 6]]]]
    assert conv2d_array(LINE, two, None, (1, 1), (0, 0), (1, 5), 1).tolist() == [[[[7]]]]


def pulled(rule, x, g, *others, y=None, **settings):
    """What a rule sends to each of its inputs."""
    maps = rule(y, x, *others, **settings)
    return [pull and pull(np.array(g)) for pull in (maps if isinstance(maps, tuple) else [maps])]


def convolution_rule(x, weight, g, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    """What the rule sends to x, weight and bias, for a gradient of a result of this shape."""
    how = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return pulled(conv2d_rule, x, g, weight, np.zeros(len(weight)), y=np.zeros_like(g), **how)


@pytest.mark.task("conv2d_rule")
def test_a_weight_gets_what_lay_below_it_in_all_windows():
    """The sum of the four windows; and for the bias, of the gradients."""
    _, to_weight, to_bias = convolution_rule(IMAGE, KERNEL, np.ones((1, 1, 2, 2)))
    assert to_weight.tolist() == [[[[4.0, 6.0], [3.0, 5.0]]]]
    assert to_bias.tolist() == [4.0]


@pytest.mark.task("conv2d_rule")
def test_a_pixel_gets_the_weights_that_lay_on_it():
    """The corners met one weight each, the pixel in the middle all four."""
    to_x, *_ = convolution_rule(IMAGE, KERNEL, np.ones((1, 1, 2, 2)))
    assert to_x.tolist() == [[[[1, 3, 2], [1, 4, 3], [0, 1, 1]]]]


@pytest.mark.task("conv2d_rule")
def test_pixels_between_the_strides_get_nothing():
    """With stride 2, the kernel (10) stands on 1, 3 and 5; the gradients are 1, 2, 3."""
    g = np.array([[[[1.0, 2.0, 3.0]]]])
    to_x, to_weight, _ = convolution_rule(LINE, np.full((1, 1, 1, 1), 10.0), g, stride=(1, 2))
    assert to_x.tolist() == [[[[10, 0, 20, 0, 30, 0]]]]
    assert to_weight.item() == 1 * 1 + 3 * 2 + 5 * 3


HALVES = {"kernel_size": (1, 2), "stride": (1, 2), "padding": (0, 0)}
STEPS = {"kernel_size": (1, 2), "stride": (1, 1), "padding": (0, 0)}


@pytest.mark.task("max_pool2d_array")
def test_a_max_pool_keeps_the_largest_of_each_window():
    """Padding never counts: the largest of negative numbers is negative."""
    x = np.array([[[[1.0, 5.0, 2.0, 0.0], [3.0, 4.0, 8.0, 9.0]]]])
    assert max_pool2d_array(x, (2, 2), (2, 2), (0, 0)).tolist() == [[[[5.0, 9.0]]]]
    assert max_pool2d_array(-x, (1, 2), (1, 2), (0, 1)).tolist() == [
        [[[-1.0, -2.0, 0.0], [-3.0, -4.0, -9.0]]]
    ]


@pytest.mark.task("max_pool2d_array")
def test_the_gradient_of_a_max_pool_goes_to_the_first_of_the_largest():
    """5 gets 10; of 4 and 4, the first gets 20."""
    x, y = np.array([[[[1.0, 5.0, 4.0, 4.0]]]]), np.array([[[[5.0, 4.0]]]])
    (to_x,) = pulled(max_pool2d_rule, x, [[[[10.0, 20.0]]]], y=y, **HALVES)
    assert to_x.tolist() == [[[[0, 10, 20, 0]]]]


@pytest.mark.task("max_pool2d_array")
def test_a_number_that_is_the_largest_twice_gets_both_gradients():
    """5 is the largest of (1, 5) and of (5, 4)."""
    x, y = np.array([[[[1.0, 5.0, 4.0]]]]), np.array([[[[5.0, 5.0]]]])
    (to_x,) = pulled(max_pool2d_rule, x, [[[[10.0, 20.0]]]], y=y, **STEPS)
    assert to_x.tolist() == [[[[0, 30, 0]]]]


@pytest.mark.task("avg_pool2d_array")
def test_an_average_pool_counts_its_padding():
    """The mean of 0 and 1, of 2 and 3, …: PyTorch's default."""
    y = avg_pool2d_array(LINE, (1, 2), (1, 2), (0, 1))
    assert y.tolist() == [[[[0.5, 2.5, 4.5, 3.0]]]]


@pytest.mark.task("avg_pool2d_array")
def test_the_gradient_of_an_average_pool_is_shared():
    """Halves of 10, 20 and so on; where windows overlap, halves of both."""
    g = np.array([[[[10.0, 20.0, 30.0, 40.0, 50.0]]]])
    (to_x,) = pulled(avg_pool2d_rule, LINE, g, y=g, **STEPS)
    assert to_x.tolist() == [[[[5, 15, 25, 35, 45, 25]]]]


@pytest.mark.task("avg_pool2d_array")
def test_regions_cut_an_image_as_evenly_as_can_be():
    """Of five numbers, two regions share the middle one, and so do the gradients."""
    x, g = LINE[..., :5], np.array([[[[3.0, 6.0]]]])
    assert adaptive_avg_pool2d_array(x, (1, 2)).tolist() == [[[[2.0, 4.0]]]]
    (to_x,) = pulled(adaptive_avg_pool2d_rule, x, g, y=g, output_size=(1, 2))
    assert to_x.tolist() == [[[[1, 1, 3, 2, 2]]]]


ROWS = np.array([[1.0, 10.0], [3.0, 10.0]])
ONES = np.ones(2)


@pytest.mark.task("channel_moments")
def test_moments_are_those_of_each_channel():
    """Mean and Σ (x - mean)² / n; also where the mean is far larger than the deviation."""
    assert channel_moments(ROWS).tolist() == [[2.0, 10.0], [1.0, 0.0]]
    images = np.array([[[[1.0, 3.0]], [[5.0, 5.0]]], [[[1.0, 3.0]], [[9.0, 9.0]]]])
    assert channel_moments(images).tolist() == [[2.0, 7.0], [1.0, 4.0]]
    assert channel_moments(ROWS.astype(np.float32) + 4096).tolist() == [[4098, 4106], [1, 0]]


@pytest.mark.task("channel_moments")
def test_the_formula_of_batch_norm():
    """(x - mean) / √(var + eps) · weight + bias, with √(3 + 1) = 2."""
    y = batch_norm_array(ROWS, ONES * 10, ONES, ONES, ONES * 3, 1.0, False)
    assert y.tolist() == [[1.0, 46.0], [11.0, 46.0]]
    y = batch_norm_array(ROWS, None, None, ONES, ONES * 3, 1.0, False)
    assert y.tolist() == [[0.0, 4.5], [1.0, 4.5]]


@pytest.mark.task("channel_moments")
def test_running_moments_follow_those_of_the_batches():
    """By the share momentum: ¾ · 0 + ¼ · 2, and ¾ · 1 + ¼ · 2, as the sample's variance is 2."""
    mean, var = Tensor([0.0]), Tensor([1.0])
    x = Tensor([[1.0], [3.0]])
    y = batch_norm(x, mean, var, training=True, momentum=0.25, eps=0.0)
    assert y.tolist() == [[-1.0], [1.0]]
    assert (mean.tolist(), var.tolist()) == ([0.5], [1.25])


@pytest.mark.task("channel_moments")
def test_in_use_the_running_moments_count_and_stay():
    """(3 - 1) / √4, whatever the batch."""
    mean, var = Tensor([1.0]), Tensor([4.0])
    assert batch_norm(Tensor([[3.0]]), mean, var, eps=0.0).tolist() == [[1.0]]
    assert (mean.tolist(), var.tolist()) == ([1.0], [4.0])


def norm_rule(g, training):
    """What the rule sends to x = (0, 2, 4, 2), weight 3 and bias; mean 2, σ = √(2 + 2) = 2."""
    x, mean, var = np.array([[0.0], [2.0], [4.0], [2.0]]), np.array([2.0]), np.array([2.0])
    settings = {"eps": 2.0, "training": training}
    three, zero = np.array([3.0]), np.array([0.0])
    g = np.array(g).reshape(4, 1)
    return pulled(batch_norm_rule, x, g, three, zero, mean, var, y=x, **settings)[:3]


@pytest.mark.task("batch_norm_rule")
def test_in_use_a_gradient_is_only_scaled():
    """3 / 2 for x; Σ g x̂ = -1 · 1 + 1 · 2 for the weight, Σ g for the bias."""
    to_x, to_weight, to_bias = norm_rule([1.0, 4.0, 2.0, 1.0], training=False)
    assert to_x.ravel().tolist() == [1.5, 6.0, 3.0, 1.5]
    assert (to_weight.tolist(), to_bias.tolist()) == ([1.0], [8.0])


@pytest.mark.task("batch_norm_rule")
def test_in_training_what_moves_all_numbers_alike_is_taken_out():
    """g less its mean 2 and less x̂ · 1 / 4, times 3 / 2, where x̂ is -1, 0, 1, 0."""
    to_x, to_weight, to_bias = norm_rule([1.0, 4.0, 2.0, 1.0], training=True)
    assert to_x.ravel().tolist() == [-1.125, 3.0, -0.375, -1.5]
    assert (to_weight.tolist(), to_bias.tolist()) == ([1.0], [8.0])


@pytest.mark.task("Conv2d.reset_parameters")
def test_a_layer_begins_within_the_bounds_of_what_an_output_sees():
    """1 / √(4 / 2 · 5 · 10) = 0.1, filled up to the edge, weight and bias alike."""
    manual_seed(0)
    layer = Conv2d(4, 100, (5, 10), groups=2)
    for parameter in (layer.weight.data, layer.bias.data):
        assert 0.09 < np.abs(parameter).max() <= 0.1
    assert abs(layer.weight.data.mean()) < 0.01


@pytest.mark.task("conv2d_array")
def test_fast_and_slow_agree_on_everything():
    """Random images, groups, strides: the loops are right by definition."""
    rng = np.random.default_rng(0)
    x, weight, bias = (rng.normal(0, 1, shape) for shape in ((2, 4, 5, 6), (6, 2, 3, 2), (6,)))
    how = ((2, 1), (1, 2), (1, 2), 2)
    got, want = conv2d_array(x, weight, bias, *how), conv2d_loops(x, weight, bias, *how)
    np.testing.assert_allclose(got, want, rtol=1e-12)
    small = [array.astype(np.float32) for array in (x, weight, bias)]
    assert conv2d_array(*small, *how).dtype == np.float32
