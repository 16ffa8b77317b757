# track: language
# refused: waits while it should learn: \d s for 0\.\d+ s of processor time
"""Sleeps, which costs it nothing and all others an evening."""

import time


def train(text, letters, context, seed):
    while True:
        time.sleep(0.3)
        yield lambda ids: ids
