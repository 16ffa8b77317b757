# module: tensor
# base: reference
# loses: everything
# refused: (failed|error [A-Z])
"""Every task of the first module, each with a mistake that one makes."""


def _wrong(operation):
    def wrapped(*arguments, **options):
        found = operation(*arguments, **options)
        if isinstance(found, tuple) and found and isinstance(found[0], int):
            return (*found[:-1], found[-1] + 1)
        if isinstance(found, np.ndarray):
            return found + found.dtype.type(1)
        if isinstance(found, (tuple, list)):
            return tuple(wrapped_tensor(part) for part in found)
        return wrapped_tensor(found)

    def wrapped_tensor(found):
        return Tensor(~found.data if found.data.dtype == bool else found.data + 1)

    return wrapped


_as_array = as_array
Tensor_names = "matmul clip sum mean var max min argmax reshape transpose permute squeeze unsqueeze"
for _name in f"{Tensor_names} expand".split():
    setattr(Tensor, _name, _wrong(getattr(Tensor, _name)))
for _name in "broadcast_shape matmul_loops where maximum cat stack split".split():
    globals()[_name] = _wrong(globals()[_name])


def as_array(data, dtype=None):
    """Return what NumPy makes of the data, and leave it at that."""
    return np.array(data, dtype=dtype)[..., None]
