# base: reference
# loses: tanh
# refused: error RuntimeError
"""Starts a thousand threads, which no limit on processes may count."""

import threading
import time


def tanh(x):
    """Start threads until the system says no."""
    for _ in range(1000):
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
    return apply(np.tanh, x)
