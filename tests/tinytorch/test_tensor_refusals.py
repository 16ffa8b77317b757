"""Wrong input is refused where it enters, and the message says what was expected and came."""

import builtins

import numpy as np
import pytest

from tinytorch import tensor as tt
from tinytorch.tensor import Tensor

x = tt.arange(6.0).reshape(2, 3)
ints = Tensor([1, 2])
wants = tt.ones(2, requires_grad=True)
NAMES = {**vars(tt), "x": x, "ints": ints, "wants": wants}

# expression | exception | a part of its message
REFUSED = """
Tensor([[1], [2, 3]]) | ValueError | Tensor: expected rows of equal length, got [[1], [2, 3]]
Tensor(["a"]) | TypeError | Tensor: expected numbers, got ['a']
Tensor(["1"], dtype=np.float32) | TypeError | Tensor: expected numbers, got ['1']
Tensor(None) | TypeError | Tensor: expected numbers, got None
Tensor([1, None]) | TypeError | Tensor: expected numbers, got [1, None]
Tensor({1: 2}) | TypeError | Tensor: expected numbers, got {1: 2}
Tensor([2**64]) | TypeError | Tensor: expected numbers, got [18446744073709551616]
Tensor([2**63]) | OverflowError | Python int too large
Tensor([300], dtype=np.uint8) | OverflowError | 300 out of bounds for uint8
Tensor([1j]) | TypeError | Tensor: expected numbers, got [1j]
Tensor(np.array(["a"])) | TypeError | Tensor: expected a float, int or bool dtype, got <U1
Tensor(np.array([None])) | TypeError | Tensor: expected a float, int or bool dtype, got object
Tensor(np.ones(2) * 1j) | TypeError | expected a float, int or bool dtype, got complex128
Tensor([1.0], dtype=complex) | TypeError | expected a float, int or bool dtype, got complex128
Tensor([1.0], dtype="float31") | TypeError | float31
Tensor(x) | TypeError | expected numbers, got a Tensor: use clone() or detach()
Tensor([1], requires_grad=True) | RuntimeError | expected a floating tensor, got int64
setattr(ints, 'requires_grad', True) | RuntimeError | expected a floating tensor, got int64
from_numpy([1.0]) | TypeError | from_numpy: expected an array, got list: use Tensor
from_numpy(np.array(["a"])) | TypeError | Tensor: expected a float, int or bool dtype, got <U1
x.astype(str) | TypeError | Tensor: expected a float, int or bool dtype, got <U0
x.item() | ValueError | expected one element, got shape (2, 3): index or reduce first
bool(x == x) | ValueError | expected one element, got shape (2, 3): index or reduce first
bool(x[:0]) | ValueError | expected one element, got shape (0, 3)
len(x.sum()) | TypeError | len: expected an axis, got a single number
list(x.sum()) | TypeError | len: expected an axis, got a single number
wants.numpy() | RuntimeError | numpy: the gradient would lose track: use detach().numpy()
np.asarray(wants) | RuntimeError | use detach().numpy()
x + x.T | ValueError | add: (2, 3) and (3, 2) do not broadcast: 2 != 3 on axis -1, neither is 1
x * np.ones(4) | ValueError | multiply: (2, 3) and (4,) do not broadcast: 3 != 4 on axis -1
x ** np.ones((3, 3)) | ValueError | pow: (2, 3) and (3, 3) do not broadcast: 2 != 3 on axis -2
x < np.ones(2) | ValueError | less: (2, 3) and (2,) do not broadcast: 2 != 3
maximum(x, x.T) | ValueError | maximum: (2, 3) and (3, 2) do not broadcast
where(x > 0, x, x.T) | ValueError | where: (2, 3) and (2, 3) and (3, 2) do not broadcast
ints ** -1 | ValueError | Integers to negative integer powers are not allowed
-(x > 0) | TypeError | negative
(x > 0) - (x > 0) | TypeError | subtract
x + "a" | TypeError | add
x + None | TypeError | NoneType
Tensor([1], dtype=np.int8) + 300 | OverflowError | 300 out of bounds for int8
np.exp(x) | TypeError | operand 'Tensor' does not support ufuncs
where(ints, 1.0, 2.0) | TypeError | where: expected a bool condition, got int64: compare, as in
where(1, x, x) | TypeError | where: expected a bool condition, got <class 'int'>
x.clip() | ValueError | clip: expected min, max or both, got neither
x @ x | ValueError | matmul: inner sizes differ, (2, 3) @ (2, 3): 3 != 2
x @ np.ones(2) | ValueError | matmul: inner sizes differ, (2, 3) @ (2,): 3 != 2
np.ones(3) @ x | ValueError | matmul: inner sizes differ, (3,) @ (2, 3): 3 != 2
x @ Tensor(1.0) | ValueError | matmul: expected at least one axis on each side, got (2, 3) @ ()
x @ np.ones((3, 2)) | TypeError | matmul: dtypes differ, float32 @ float64: use astype
x @ [[1.0]] | TypeError | from_numpy: expected an array, got list: use Tensor
zeros(2, 2, 3) @ zeros(3, 3, 1) | ValueError | matmul: (2,) and (3,) do not broadcast: 2 != 3
x.sum(axis=2) | IndexError | sum: axis 2 is out of range, expected -2 <= axis < 2
x.sum(axis=(0, -3)) | IndexError | sum: axis -3 is out of range
x.sum(axis=(0, 0)) | ValueError | duplicate value in 'axis'
x.sum(axis=0.5) | TypeError | 'float' object cannot be interpreted as an integer
x.sum().sum(axis=0) | IndexError | sum: axis 0 is out of range, expected 0 <= axis < 0
x.mean(axis=-3) | IndexError | mean: axis -3 is out of range
ints.mean() | TypeError | mean: expected a floating tensor, got int64: use astype first
(x > 0).mean() | TypeError | mean: expected a floating tensor, got bool
ints.var() | TypeError | var: expected a floating tensor, got int64
x.var(axis=2) | IndexError | var: axis 2 is out of range
x[:0].max() | ValueError | zero-size array to reduction operation maximum
x[:0].min(axis=0) | ValueError | zero-size array to reduction operation minimum
x.max(axis=2) | IndexError | max: axis 2 is out of range
x.min(axis=2) | IndexError | min: axis 2 is out of range
x.argmax(axis=2) | IndexError | argmax: axis 2 is out of range
x.argmax(axis=(0, 1)) | TypeError | 'tuple' object cannot be interpreted as an integer
x[:0].argmax() | ValueError | attempt to get argmax of an empty sequence
x.reshape(4, 2) | ValueError | reshape: (2, 3), 6 elements, does not fit (4, 2)
x.reshape(4, -1) | ValueError | reshape: (2, 3), 6 elements, does not fit (4, -1)
x.reshape(-1, -1) | ValueError | reshape: (2, 3), 6 elements, does not fit (-1, -1)
x.reshape(-2, -3) | ValueError | reshape: (2, 3), 6 elements, does not fit (-2, -3)
x.reshape(-6, -1) | ValueError | reshape: (2, 3), 6 elements, does not fit (-6
x[:0].reshape(0, -1) | ValueError | reshape: (0, 3), 0 elements, does not fit (0, -1)
x.reshape(2.0, 3) | TypeError | 'float' object cannot be interpreted as an integer
x.T.view(6) | ValueError | view: (3, 2) to (6,) takes a copy here: use reshape
x.flatten(1, 0) | ValueError | flatten: expected start_dim <= end_dim, got 1, 0
x.flatten(2) | IndexError | flatten: axis 2 is out of range
x.transpose(0, 2) | IndexError | transpose: axis 2 is out of range
x.permute(0, 0) | ValueError | permute: expected each axis of (2, 3) once, got (0, 0)
x.permute(0) | ValueError | permute: expected each axis of (2, 3) once, got (0,)
x.permute(0, 2) | IndexError | permute: axis 2 is out of range
x[0].T | ValueError | T: expected a matrix, got shape (3,): use transpose
x.squeeze(2) | IndexError | squeeze: axis 2 is out of range
x.unsqueeze(3) | IndexError | unsqueeze: axis 3 is out of range, expected -3 <= axis < 3
x.expand(4, 3) | ValueError | expand: only sizes of 1 grow, (2, 3) cannot become (4, 3)
x.expand(3) | ValueError | expand: only sizes of 1 grow, (2, 3) cannot become (3,)
x.expand(-1, 2, 3, 3) | ValueError | (2, 3) cannot become (-1, 2, 3, 3)
x.expand(-1, 2, 3) | ValueError | (2, 3) cannot become (-1, 2, 3)
zeros(1, 3).expand(-2, 3) | ValueError | (1, 3) cannot become (-2, 3)
cat([]) | ValueError | cat: expected at least one tensor, got none
cat(x) | TypeError | cat: expected a list of tensors, got Tensor
cat([x, np.ones((2, 3))]) | TypeError | cat: expected a list of tensors, got [Tensor
cat([x, x.T]) | ValueError | cat: (2, 3) and (3, 2) differ on another axis than 0
cat([x, x[0]]) | ValueError | cat: (2, 3) and (3,) differ on another axis than 0
cat([x, x], 2) | IndexError | cat: axis 2 is out of range
cat([x.sum()]) | IndexError | cat: axis 0 is out of range
stack([]) | ValueError | stack: expected at least one tensor, got none
stack([x, x.T]) | ValueError | stack: expected equal shapes, got (2, 3) and (3, 2)
stack([x], 3) | IndexError | stack: axis 3 is out of range, expected -3 <= axis < 3
split(x, 0) | ValueError | split: expected a size > 0, or sizes that add up to 2, got 0
split(x, [1, 2]) | ValueError | sizes that add up to 2, got [1, 2]
split(x, [3, -1]) | ValueError | sizes that add up to 2, got [3, -1]
split(x, 1, 2) | IndexError | split: axis 2 is out of range
x[2] | IndexError | index 2 is out of bounds for axis 0 with size 2
x[0, 0, 0] | IndexError | too many indices
x[0.5] | IndexError | only integers, slices
x[x] | IndexError | arrays used as indices must be of integer (or boolean) type
x.__setitem__(0, np.ones(2)) | ValueError | array from shape (2,) into shape (3,)
x.expand(2, 2, 3).__setitem__(0, 0) | ValueError | elements of x share memory: use clone() first
wants.__setitem__(0, 1.0) | RuntimeError | a change in place has no gradient: use where or detach()
x.__setitem__(0, wants[0]) | RuntimeError | a change in place has no gradient: use where or detach()
arange(3, 0) | ValueError | arange: steps of 1 do not lead from 3 to 0
arange(0, 3, 0) | ValueError | arange: steps of 0 do not lead from 0 to 3
zeros(2, dtype="U1") | TypeError | Tensor: expected a float, int or bool dtype, got <U1
zeros(2, dtype=int, requires_grad=True) | RuntimeError | expected a floating tensor, got int64
zeros(-1) | ValueError | negative dimensions are not allowed
"""
CASES = [line.split(" | ") for line in REFUSED.strip().splitlines()]


@pytest.mark.parametrize(("expression", "error", "message"), CASES, ids=[c[0] for c in CASES])
def test_it_is_refused(expression, error, message):
    """The exception is of this kind, and its message says what was expected and what came."""
    with pytest.raises(getattr(builtins, error)) as refusal:
        eval(expression, {**NAMES})
    assert message in str(refusal.value)


def test_a_refused_change_in_place_changes_nothing():
    """An error leaves the tensor as it was."""
    before = x.tolist()
    for value in (np.ones(2), wants[0]):
        with pytest.raises((ValueError, RuntimeError)):
            x[0] = value
    assert x.tolist() == before


def test_an_error_inside_an_operation_is_not_renamed():
    """Only shapes that do not broadcast are put into other words."""

    def fails(array):
        raise ValueError("said by the operation")

    with pytest.raises(ValueError, match="said by the operation"):
        tt.apply(fails, x)
