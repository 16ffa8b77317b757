"""The private autograder: from a commit to a report and a leaderboard."""

import os

# Before NumPy is imported. The reference runs on small arrays, where threads of the BLAS only spin;
# and one thread adds numbers up in one order, so that a regrade gets the same sums.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
