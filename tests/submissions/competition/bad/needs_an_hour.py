# track: sprint
# limits: wall_s=1
# refused: took longer than \d+ s
"""Is thorough."""

import time


def load(weights):
    time.sleep(3600)
