"""Property tests draw the same examples in every run; Ctrl-C means what it means at a terminal."""

import os
import signal

from hypothesis import settings

# Before NumPy is there: tests run beside each other, and BLAS's threads would wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

settings.register_profile("exact", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("exact")
# A job in the background of a shell ignores it, and hands that on to its children.
signal.signal(signal.SIGINT, signal.default_int_handler)
