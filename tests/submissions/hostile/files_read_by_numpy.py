# base: reference
# loses: tanh
# refused: error PermissionError
"""Reads a file through NumPy's own readers, in case only `open` is watched."""


def tanh(x):
    """Return the bytes of a hidden file."""
    for read in (np.fromfile, np.loadtxt, np.memmap):
        try:
            return Tensor(np.asarray(read("@CANARY@", dtype=np.uint8)))
        except (PermissionError, ModuleNotFoundError):
            continue
    raise PermissionError("leaked: nothing")
