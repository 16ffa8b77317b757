# base: reference
# loses: everything
# refused: the process ended itself with status 0
"""Ends the process with success before there is any check to fail."""

import os

os._exit(0)
