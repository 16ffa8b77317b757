# base: reference
# loses: tanh
# refused: error (not an answer|bytes came|the answer)
"""Answers, and lets a thread go on writing answers to questions that were not asked."""

import os
import threading


def _write_on():
    while True:
        for descriptor in range(3, 64):
            try:
                os.write(descriptor, b"TTW1\x02\x00\x00\x00{}")
            except OSError:
                continue


def tanh(x):
    """Start the thread; the answer itself is wrong."""
    threading.Thread(target=_write_on, daemon=True).start()
    while True:
        pass
