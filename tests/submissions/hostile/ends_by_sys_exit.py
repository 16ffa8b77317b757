# base: reference
# loses: everything
# refused: SystemExit
"""Raises SystemExit, which passes by every `except Exception`."""

import sys

sys.exit(0)
