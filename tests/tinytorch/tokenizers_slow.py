"""Byte-pair encoding as the papers tell it: everything is counted and looked at anew each time."""

from collections import Counter
from itertools import pairwise


def slow_train(pieces, merges, min_frequency):
    """Return up to `merges` merges: the most frequent pair, of equal ones the smallest."""
    words, found = [list(piece.encode()) for piece in pieces], []
    while len(found) < merges:
        counts = Counter(pair for ids in words for pair in pairwise(ids))
        pair = min(counts, key=lambda one: (-counts[one], one), default=None)
        if pair is None or counts[pair] < min_frequency:
            break
        words = [replaced(ids, pair, 256 + len(found)) for ids in words]
        found.append(pair)
    return found


def slow_encode(pieces, merges):
    """Return the tokens of pieces: every merge is tried everywhere, the first learned first."""
    tokens = []
    for piece in pieces:
        ids = list(piece.encode())
        for number, pair in enumerate(merges):
            ids = replaced(ids, pair, 256 + number)
        tokens += ids
    return tokens


def replaced(ids, pair, new):
    """Return ids with `new` for each occurrence of the pair, from left to right."""
    made, i = [], 0
    while i < len(ids):
        found = tuple(ids[i : i + 2]) == pair
        made.append(new if found else ids[i])
        i += 2 if found else 1
    return made
