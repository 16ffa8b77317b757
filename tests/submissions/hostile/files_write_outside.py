# base: reference
# loses: tanh
# refused: error PermissionError
"""Leaves a file wherever one can be left."""


def tanh(x):
    """Write a file."""
    for folder in ("/tmp", "/dev/shm", "/var/tmp", "/", ".", ".."):
        try:
            open(f"{folder}/hostile-file", "w").close()
        except PermissionError:
            continue
        raise RuntimeError(f"leaked: wrote into {folder}")
    raise PermissionError("leaked: nothing")
