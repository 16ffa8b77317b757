"""Hidden and shown checks of 01_tensor; otter-grader runs this file in the trusted process."""

import numpy as np
from otter.test_files import test_case

OK_FORMAT = False
name = "01_tensor"
points = 100


def hidden(name, points):
    """Make a check of which a student learns no more than the hint, the function's docstring."""
    return lambda check: test_case(name, points, hidden=True, failure_message=check.__doc__)(check)


def shown(name, points):
    """Make a check that also shows its values, or the exception."""
    return lambda check: test_case(name, points, hidden=False, failure_message=check.__doc__)(check)


# Sums of a few float32 numbers in another order differ in the seventh digit.
SINGLE = {"rtol": 1e-5, "atol": 1e-6}
AXES = (None, 0, 1, 2, -1, -3, (0, 2), (1, -1))


def single(rng, *shape):
    """Return random float32 numbers."""
    return rng.standard_normal(shape).astype(np.float32)


def sizes(rng, *wanted):
    """Return different sizes in random order: a size mistaken for another is then seen."""
    return [int(n) for n in rng.permutation(wanted)]


def reduce_along_axes(agree, refuses, name, rng):
    """Compare along every axis, from both ends, and along several; refuse axes out of range."""
    x = single(rng, *sizes(rng, 3, 4, 5))
    for axis in AXES[:6] if name == "argmax" else AXES:
        for keepdims in (False, True):
            agree("reduced", name=name, x=x, axis=axis, keepdims=keepdims, **SINGLE)
    agree("reduced_whole", name=name, x=rng.standard_normal((3, 4)))
    good = {"name": name, "x": x, "axis": 2, "keepdims": False}
    for axis in (3, -4):
        refuses("reduced", IndexError, bad={**good, "axis": axis}, good=good)


def refuse_whole_numbers(refuses, name, x):
    """Demand a TypeError that names the dtype, for ints and for bools."""
    good = {"name": name, "x": x.astype(float), "axis": 1, "keepdims": False}
    for bad in (x, x > 4):
        refuses("reduced", TypeError, str(bad.dtype), bad={**good, "x": bad}, good=good)


@shown("as_array: floats, ints and bools", points=2)
def as_array_small(agree):
    """NumPy makes float64 of Python floats; a Tensor wants float32."""
    for data in ([[1.5, 2.0], [3.0, 4.0]], [1, 2, 3], [True, False]):
        agree("from_python", data=data, dtype=None)


@hidden("as_array: nested lists, single numbers and a dtype", points=3)
def as_array_random(agree, rng):
    """One float among ints makes all floats; a dtype that is asked for is kept."""
    floats, ints = rng.normal(0, 9, (2, 3, 2)).tolist(), rng.integers(2, 9, 4).tolist()
    for data in (floats, ints, [1.5, *ints], [True, *ints], floats[0][0][0], []):
        agree("from_python", data=data, dtype=None)
    agree("from_python", data=floats, dtype="float64")
    agree("from_python", data=ints, dtype="float32")


@hidden("as_array: what is no table of numbers", points=3)
def as_array_refuses(refuses, rng):
    """Uneven rows: a ValueError; text, None: a TypeError; too large: an OverflowError."""
    good = {"data": rng.normal(0, 9, (2, 2)).tolist(), "dtype": None}
    refuses("from_python", ValueError, bad={**good, "data": [[1.0, 2.0], [3.0]]}, good=good)
    refuses("from_python", TypeError, bad={**good, "data": ["1", "2"]}, good=good)
    refuses("from_python", TypeError, bad={**good, "data": [1.0, None]}, good=good)
    refuses("from_python", TypeError, bad={"data": ["1"], "dtype": "float32"}, good=good)
    refuses("from_python", OverflowError, bad={"data": [300], "dtype": "uint8"}, good=good)


@shown("broadcast_shape: two shapes", points=2)
def broadcast_shape_small(agree):
    """Align both at the right; 1 stretches to the other size."""
    agree("common_shape", shapes=[(4, 1), (3,)])
    agree("common_shape", shapes=[(2, 1, 5), (3, 1)])


@hidden("broadcast_shape: any number of shapes", points=3)
def broadcast_shape_random(agree, rng):
    """Shapes may be as many and as short as they like; () and sizes of 0 count too."""
    for _ in range(10):
        whole, cuts = rng.integers(2, 9, 4), (0, *rng.integers(0, 5, 2))
        shapes = [np.where(rng.random(4) < 0.5, whole, 1)[cut:] for cut in cuts]
        agree("common_shape", shapes=[shape.tolist() for shape in shapes])
    agree("common_shape", shapes=[(0, 1), (1, 3), ()])
    agree("common_shape", shapes=[(int(rng.integers(2, 9)), 2)])


@hidden("broadcast_shape: shapes that do not fit", points=3)
def broadcast_shape_refuses(refuses, rng):
    """Different sizes, none of them 1: a ValueError with both sizes and the axis."""
    a, b, c = sizes(rng, 13, 17, 19)
    good = {"shapes": [(a, b), (a, 1)]}
    for shapes, axis in (([(a, b), (c,)], "-1"), ([(1, b, a), (c, 1), (a, 1, 1)], "-2")):
        words = (str(b), str(c), axis)
        refuses("common_shape", ValueError, *words, bad={"shapes": shapes}, good=good)
    refuses("common_shape", ValueError, bad={"shapes": [(0,), (a,)]}, good=good)


@shown("matmul_loops: a small product", points=2)
def matmul_loops_small(agree):
    """c[i, j] is the sum over k of a[i, k] * b[k, j]."""
    agree("loops", a=np.array([[1, 2], [3, 4]]), b=np.array([[10, 0], [1, 100]]))
    agree("loops", a=np.array([[1.0, 2.0, 3.0]]), b=np.array([[4.0], [5.0], [6.0]]))


@hidden("matmul_loops: random sizes and dtypes", points=4)
def matmul_loops_random(agree, rng):
    """M, K and N may all differ, K may be 0; the result has the dtype of a."""
    m, k, n = sizes(rng, 2, 3, 5)
    agree("loops", a=rng.standard_normal((m, k)), b=rng.standard_normal((k, n)))
    agree("loops", a=single(rng, k, m), b=rng.standard_normal((m, n)), **SINGLE)
    agree("loops", a=rng.integers(-9, 9, (n, m)), b=rng.integers(-9, 9, (m, k)))
    agree("loops", a=np.ones((2, 0)), b=np.ones((0, 3)))


@hidden("matmul_loops: one element at a time", points=3)
def matmul_loops_by_element(agree, rng):
    """Read a[i, k] and b[k, j]; no product of whole rows or of the arrays."""
    m, k, n = sizes(rng, 2, 3, 4)
    agree("loops_by_element", a=rng.standard_normal((m, k)), b=rng.standard_normal((k, n)))


@shown("Tensor.matmul: small matrices", points=2)
def matmul_small(agree):
    """Compare one element with a dot product by hand."""
    agree("product", a=np.array([[1.0, 2.0], [3.0, 4.0]]), b=np.array([[10.0, 0.0], [1.0, 100.0]]))


@hidden("Tensor.matmul: matrices and vectors", points=3)
def matmul_random(agree, rng):
    """A vector is a row on the left and a column on the right; use apply."""
    m, k, n = sizes(rng, 2, 3, 5)
    a, b = rng.standard_normal((m, k)), rng.standard_normal((k, n))
    for left, right in ((a, b), (a[0], b), (a, b[:, 0]), (a[0], b[:, 0])):
        agree("product", a=left, b=right)
    agree("product", a=single(rng, n, m), b=single(rng, m, k), **SINGLE)
    agree("product_with_arrays", a=rng.integers(-9, 9, (m, k)), b=rng.integers(-9, 9, (k, n)))


@hidden("Tensor.matmul: batches", points=2)
def matmul_batches(agree, rng):
    """All axes before the last two are batch axes, which broadcast."""
    m, k, n = sizes(rng, 2, 3, 5)
    agree("product", a=rng.standard_normal((4, m, k)), b=rng.standard_normal((4, k, n)))
    agree("product", a=rng.standard_normal((3, 1, m, k)), b=rng.standard_normal((2, k, n)))
    agree("product", a=rng.standard_normal((3, m, k)), b=rng.standard_normal(k))


@hidden("Tensor.matmul: shapes and dtypes that do not fit", points=2)
def matmul_refuses(refuses, rng):
    """Inner sizes: a ValueError that shows both shapes. Dtypes: a TypeError."""
    good = {"a": rng.standard_normal((2, 3)), "b": rng.standard_normal((3, 4))}
    for b in (np.ones((4, 5)), np.ones(2), np.array(2.0)):
        refuses("product", ValueError, "(2, 3)", str(b.shape), bad={**good, "b": b}, good=good)
    for name in ("product", "product_with_array"):
        refuses(name, TypeError, bad={**good, "a": single(rng, 2, 3)}, good=good)


@shown("where: where, maximum and clip of a few numbers", points=1)
def where_small(agree):
    """where chooses, maximum compares two tensors, clip keeps within two bounds."""
    agree("choice_of_numbers", condition=np.array([True, False, True]), a=1.0, b=2.0)
    agree("larger", a=np.array([1.0, 5.0]), b=np.array([3.0, 4.0]))
    agree("clipped", x=np.array([-2.0, 0.5, 9.0]), low=0.0, high=1.0)


@hidden("where: random conditions", points=2)
def where_random(agree, refuses, rng):
    """All three broadcast; a condition that is not bool is a TypeError."""
    good = {"condition": rng.random((3, 1)) < 0.5, "a": single(rng, 3, 4), "b": single(rng, 4)}
    agree("choice", **good)
    agree("choice_of_numbers", condition=rng.random((2, 3)) < 0.5, a=1, b=0)
    agree("choice_of_numbers", condition=rng.random(5) < 0.5, a=0.5, b=-1.0)
    refuses("choice", TypeError, bad={**good, "condition": np.ones((3, 1), int)}, good=good)


@hidden("where: random maximum", points=2)
def maximum_random(agree, rng):
    """Element by element, not over the whole tensor; NaN stays NaN; by apply."""
    agree("larger", a=single(rng, 3, 4), b=single(rng, 4))
    agree("larger", a=rng.standard_normal((2, 3)), b=float(rng.normal()))
    agree("larger", a=np.array([np.nan, 1.0]), b=np.array([0.0, np.nan]), finite=False)


@hidden("where: random clip", points=2)
def clip_random(agree, refuses, rng):
    """A bound may be None, not both; where they cross, the upper one wins."""
    x = single(rng, 4, 5)
    for low, high in ((-0.5, 0.25), (None, 0.25), (-0.5, None), (0.5, -0.5)):
        agree("clipped", x=x, low=low, high=high)
    good = {"x": x, "low": 0.0, "high": None}
    refuses("clipped", ValueError, bad={**good, "low": None}, good=good)


@shown("Tensor.sum: a small matrix", points=1)
def sum_small(agree):
    """axis=0 adds up the rows: that axis disappears, or has size 1 with keepdims."""
    x = np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
    agree("reduced", name="sum", x=x, axis=0, keepdims=False)
    agree("reduced", name="sum", x=x, axis=1, keepdims=True)


@hidden("Tensor.sum: random tensors", points=3)
def sum_random(agree, refuses, rng):
    """All axes, one or several, else an IndexError; keepdims or not; by apply."""
    reduce_along_axes(agree, refuses, "sum", rng)
    agree("reduced", name="sum", x=np.zeros((0, 3)), axis=0, keepdims=False)


@hidden("Tensor.sum: whole numbers", points=2)
def sum_dtypes(agree, rng):
    """Small ints and bools add up to int64."""
    x = rng.integers(90, 127, (2, 3, 4))
    for dtype in (np.int8, np.uint8, np.int32, np.int64):
        agree("reduced", name="sum", x=x.astype(dtype), axis=1, keepdims=False)
    agree("reduced", name="sum", x=x > 100, axis=None, keepdims=False)


@hidden("Tensor.mean: random tensors", points=3)
def mean_random(agree, refuses, rng):
    """Divide by the number of elements along the axes; a wrong axis is an IndexError."""
    reduce_along_axes(agree, refuses, "mean", rng)


@hidden("Tensor.mean: whole numbers", points=2)
def mean_refuses(refuses, rng):
    """The mean of ints or bools is a TypeError that names the dtype."""
    refuse_whole_numbers(refuses, "mean", rng.integers(1, 9, (2, 3, 4)))


@shown("Tensor.var: three numbers", points=1)
def var_small(agree):
    """Σ(x - mean)² / (n - 1): the variance of 1, 2, 6 is (4 + 1 + 9) / 2 = 7."""
    agree("reduced_whole", name="var", x=np.array([[1.0, 2.0, 6.0]]))


@hidden("Tensor.var: random tensors", points=3)
def var_random(agree, refuses, rng):
    """Divide by n - correction, 1 unless told otherwise, n counted along the axes."""
    reduce_along_axes(agree, refuses, "var", rng)
    for correction in (0, 1, 2):
        agree(
            "variance", x=single(rng, 4, 5), axis=1, correction=correction, keepdims=False, **SINGLE
        )
    agree("variance", x=1e3 + single(rng, 9), axis=0, correction=0, keepdims=True, rtol=1e-4)


@hidden("Tensor.var: whole numbers", points=2)
def var_refuses(refuses, rng):
    """The variance of ints or bools is a TypeError that names the dtype."""
    refuse_whole_numbers(refuses, "var", rng.integers(1, 9, (2, 3, 4)))


@shown("Tensor.max: max, min and argmax of a small matrix", points=1)
def max_small(agree):
    """max and min give a value, argmax the place of the largest along the axis."""
    x = np.array([[1.0, 9.0, 3.0], [7.0, 2.0, 8.0]])
    for name in ("max", "min", "argmax"):
        agree("reduced", name=name, x=x, axis=1, keepdims=False)


@hidden("Tensor.max: random max and min", points=3)
def max_random(agree, refuses, rng):
    """Along all axes, one or several, the dtype kept; of nothing a ValueError."""
    for name in ("max", "min"):
        reduce_along_axes(agree, refuses, name, rng)
        good = {"name": name, "x": np.uint8(rng.permutation(6)), "axis": 0, "keepdims": False}
        refuses("reduced", ValueError, bad={**good, "x": np.ones((0, 3))}, good=good)


@hidden("Tensor.max: random argmax", points=3)
def argmax_random(agree, refuses, rng):
    """An int64 index along the axis, the first of equals; without axis, by rows."""
    reduce_along_axes(agree, refuses, "argmax", rng)
    agree("reduced", name="argmax", x=rng.integers(0, 2, (4, 6)), axis=1, keepdims=False)


@shown("Tensor.reshape: six numbers", points=1)
def reshape_small(agree):
    """Elements keep their order, row by row; -1 is what is left."""
    agree("reshaped", x=np.arange(6.0), shape=[2, 3])
    agree("reshaped", x=np.arange(6.0).reshape(2, 3), shape=[3, -1])


@hidden("Tensor.reshape: random shapes", points=3)
def reshape_random(agree, rng):
    """-1 may stand anywhere, and the tensor may be a view with other strides."""
    a, b, c = sizes(rng, 2, 3, 5)
    x = rng.standard_normal((a, b, c))
    for shape in ([a * b, c], [-1, a], [b, -1, c], [c, b, a, 1], [-1], [a * b * c]):
        agree("reshaped", x=x, shape=shape)
    agree("reshaped", x=np.zeros((0, 3)), shape=[-1, 3])
    agree("reshaped", x=np.ones((1, 1)), shape=[])


@hidden("Tensor.reshape: shapes that do not fit", points=2)
def reshape_refuses(refuses, rng):
    """Another number of elements or a second -1: a ValueError with both shapes."""
    good = {"x": rng.standard_normal((2, 6)), "shape": [3, 4]}
    for shape in ([5, 2], [5, -1], [-1, -1], [-2, -6], [13]):
        words = ("(2, 6)", str(tuple(shape)))
        refuses("reshaped", ValueError, *words, bad={**good, "shape": shape}, good=good)
    refuses("reshaped", ValueError, bad={"x": np.ones((0, 3)), "shape": [0, -1]}, good=good)


@hidden("Tensor.reshape: the same memory", points=2)
def reshape_memory(agree, rng):
    """Where strides allow, the result is a view: np.reshape, not a copy of data."""
    agree("reshaped_memory", x=rng.standard_normal((2, 6)), shape=[3, 4])
    agree("reshaped_memory", x=rng.standard_normal((2, 3, 4)), shape=[6, 4])


@shown("Tensor.transpose: small matrices", points=1)
def transpose_small(agree):
    """transpose(0, 1) makes rows of columns; permute(1, 0) is the same."""
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    agree("transposed", x=x, dim0=0, dim1=1)
    agree("permuted", x=x, dims=[1, 0])


@hidden("Tensor.transpose: any two axes", points=3)
def transpose_random(agree, refuses, rng):
    """Swap exactly these two, from either end, as a view; else an IndexError."""
    x = single(rng, *sizes(rng, 2, 3, 4, 5))
    for dim0, dim1 in ((0, 1), (0, 2), (1, 3), (-1, 0), (-2, -3), (2, 2)):
        agree("transposed", x=x, dim0=dim0, dim1=dim1)
    good = {"x": x, "dim0": 0, "dim1": 3}
    refuses("transposed", IndexError, bad={**good, "dim1": 4}, good=good)
    refuses("transposed", IndexError, bad={**good, "dim0": -5}, good=good)


@hidden("Tensor.transpose: any order of axes", points=3)
def permute_random(agree, refuses, rng):
    """Axis i of permute(*dims) is axis dims[i]; each axis exactly once."""
    x = single(rng, *sizes(rng, 2, 3, 4))
    for dims in ([2, 0, 1], [1, 2, 0], [-1, 0, -2], rng.permutation(3).tolist()):
        agree("permuted", x=x, dims=dims)
    good = {"x": x, "dims": [1, 0, 2]}
    refuses("permuted", ValueError, bad={**good, "dims": [0, 0, 1]}, good=good)
    refuses("permuted", ValueError, bad={**good, "dims": [1, 0]}, good=good)


@shown("Tensor.squeeze: squeeze and unsqueeze", points=1)
def squeeze_small(agree):
    """squeeze takes axes of size 1 away, unsqueeze puts one there."""
    agree("squeezed", x=np.array([[[1.0], [2.0]]]), dim=None)
    agree("unsqueezed", x=np.array([1.0, 2.0]), dim=0)


@hidden("Tensor.squeeze: random squeeze", points=2)
def squeeze_random(agree, refuses, rng):
    """Without dim, all axes of size 1; with dim only that one, and only if it is 1."""
    a, b = sizes(rng, 2, 3)
    x = single(rng, 1, a, 1, b, 1)
    for dim in (None, 0, 1, 2, -1, -2, -5):
        agree("squeezed", x=x, dim=dim)
    refuses("squeezed", IndexError, bad={"x": x, "dim": 5}, good={"x": x, "dim": 4})


@hidden("Tensor.squeeze: random unsqueeze", points=2)
def unsqueeze_random(agree, refuses, rng):
    """The new axis is axis dim of the result: from -ndim - 1 to ndim."""
    x = single(rng, *sizes(rng, 2, 3))
    for dim in (0, 1, 2, -1, -2, -3):
        agree("unsqueezed", x=x, dim=dim)
    for dim in (3, -4):
        refuses("unsqueezed", IndexError, bad={"x": x, "dim": dim}, good={"x": x, "dim": 2})


@hidden("Tensor.expand: random sizes", points=3)
def expand_random(agree, rng):
    """Only sizes of 1 grow, new axes come first, -1 keeps a size; a view."""
    a, b, c = sizes(rng, 2, 3, 5)
    agree("expanded", x=single(rng, a, 1), sizes=[a, b])
    agree("expanded", x=single(rng, a), sizes=[b, c, a])
    for new in ([b, -1, c], [-1, -1, 1], [c, b, a, b], [0, -1, 1]):
        agree("expanded", x=single(rng, 1, a, 1), sizes=new)


@hidden("Tensor.expand: sizes that do not fit", points=2)
def expand_refuses(refuses, rng):
    """A size other than 1 cannot change, no axis can go: a ValueError, both shapes."""
    good = {"x": single(rng, 3, 1), "sizes": [3, 4]}
    for new in ([6, 4], [1, 4], [4]):
        words = ("(3, 1)", str(tuple(new)))
        refuses("expanded", ValueError, *words, bad={**good, "sizes": new}, good=good)


@shown("cat: cat and stack of two rows", points=1)
def cat_small(agree):
    """cat makes an axis longer, stack makes a new one."""
    rows = [np.array([1.0, 2.0]), np.array([3.0, 4.0])]
    agree("joined_first", name="cat", arrays=rows)
    agree("joined_first", name="stack", arrays=rows)


@hidden("cat: random cat", points=3)
def cat_random(agree, refuses, rng):
    """Along any axis; the other sizes agree, else a ValueError, both shapes."""
    whole = sizes(rng, 2, 3, 5)
    for dim in (0, 1, 2, -1, -3):
        shapes = [np.where(np.arange(3) == dim % 3, n, whole) for n in (1, 4, 0)]
        arrays = [single(rng, *shape) for shape in shapes]
        agree("joined", name="cat", arrays=arrays, dim=dim)
    good = {"name": "cat", "arrays": [single(rng, 2, 3), single(rng, 4, 3)], "dim": 0}
    for last in ((2, 4), (2,)):
        bad = {**good, "arrays": [*good["arrays"], single(rng, *last)]}
        refuses("joined", ValueError, "(2, 3)", str(last), bad=bad, good=good)
    refuses("joined", ValueError, bad={**good, "dim": 1}, good=good)
    first = {"name": "cat", "arrays": good["arrays"]}
    refuses("joined_first", ValueError, bad={**first, "arrays": []}, good=first)


@hidden("cat: random stack", points=2)
def stack_random(agree, refuses, rng):
    """The new axis may be any, the last included; shapes are equal or a ValueError."""
    shape = sizes(rng, 2, 4)
    arrays = [single(rng, *shape) for _ in range(3)]
    for dim in (0, 1, 2, -1, -2, -3):
        agree("joined", name="stack", arrays=arrays, dim=dim)
    good = {"name": "stack", "arrays": arrays, "dim": 0}
    bad = {**good, "arrays": [arrays[0], arrays[1].T]}
    refuses("joined", ValueError, f"{arrays[0].shape}", f"{arrays[1].T.shape}", bad=bad, good=good)
    refuses("joined", IndexError, bad={**good, "dim": 3}, good=good)


@hidden("split: chunks of one size", points=2)
def split_chunks(agree, refuses, rng):
    """Each chunk has this size, not this many chunks; the last is what is left."""
    x = single(rng, 5, 7)
    for chunk, dim in ((2, 0), (3, 1), (5, 0), (6, -1), (9, 0), (1, -2)):
        agree("parts", x=x, sizes=chunk, dim=dim)
    good = {"x": x, "sizes": 2, "dim": 0}
    for chunk in (0, -1):
        refuses("parts", ValueError, bad={**good, "sizes": chunk}, good=good)


@hidden("split: listed sizes", points=2)
def split_sizes(agree, refuses, rng):
    """One part per listed size, all views; sizes that do not add up: a ValueError."""
    x = single(rng, 3, 7)
    for listed, dim in ((sizes(rng, 1, 2, 4), 1), (sizes(rng, 1, 2, 0), 0), ([7], -1)):
        agree("parts", x=x, sizes=listed, dim=dim)
    good = {"x": x, "sizes": [3, 4], "dim": 1}
    for wrong in ([3, 3], [5, 4], [9, -2]):
        refuses("parts", ValueError, bad={**good, "sizes": wrong}, good=good)
