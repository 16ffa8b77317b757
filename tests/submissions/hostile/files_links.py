# base: reference
# loses: tanh
# refused: error PermissionError
"""Puts a link to a hidden file where the grader might look."""

import os


def tanh(x):
    """Make links of both kinds."""
    for link in (os.symlink, os.link):
        try:
            link("@CANARY@", "hostile-link")
        except PermissionError:
            continue
        raise RuntimeError("leaked: made a link")
    raise PermissionError("leaked: nothing")
