"""Checks of 10_tokenization, shown and hidden; otter-grader runs this in the trusted process."""

import json

from otter.test_files import test_case

OK_FORMAT = False
name = "10_tokenization"
points = 100

LETTERS = [chr(code) for code in (*range(97, 123), 0xE9, 0x3B1, 0x4E2D, 0x1F600)]


def shown(name, points, hint):
    """A check that students see; the hint is what they read when it fails."""
    return test_case(name=name, points=points, hidden=False, failure_message=hint)


def hidden(name, points, hint):
    """A check that students do not see, but for its hint."""
    return test_case(name=name, points=points, hidden=True, failure_message=hint)


def some(rng, letters, low, high):
    """A random text."""
    return "".join(rng.choice(list(letters), int(rng.integers(low, high))))


def alphabet(rng, size):
    """Distinct characters in the order of their codes."""
    return "".join(sorted(rng.choice(LETTERS, size, replace=False)))


@shown("CharTokenizer.encode: a word", 2, "Token i is the character alphabet[i].")
def char_small(agree, rng):
    agree("characters", alphabet="ehlo", text="hole")
    letters = alphabet(rng, 8)
    agree("characters", alphabet=letters, text=some(rng, letters, 5, 9))


@hidden(
    "CharTokenizer.encode: any characters", 4, "No text: TypeError; ValueError names the letter."
)
def char_any(agree, refuses, rng):
    letters = alphabet(rng, 12)
    good = {"alphabet": letters, "text": some(rng, letters, 20, 40)}
    agree("characters", alphabet=letters, text="")
    bad = {**good, "text": good["text"] + "\u2603"}
    refuses("characters", ValueError, "\u2603", bad=bad, good=good)
    refuses("characters", TypeError, bad={**good, "text": list(good["text"])}, good=good)


@hidden("CharTokenizer.encode: decode", 4, "`_ids` takes lists, arrays and Tensors, and refuses.")
def char_decode(agree, refuses, rng):
    letters = alphabet(rng, 9)
    good = {"alphabet": letters, "ids": rng.integers(0, 9, 12).tolist(), "kind": "list"}
    for kind in ("array", "tensor"):
        agree("characters_back", **{**good, "kind": kind})
    for wrong in ([9], [0, -1]):
        refuses("characters_back", ValueError, bad={**good, "ids": wrong}, good=good)


def words(rng, count, tokens=4, longest=9):
    """Random words over few tokens, so that pairs repeat and overlap."""
    return [
        rng.integers(0, tokens, int(rng.integers(0, longest))).tolist() for _ in range(count)
    ] + [[2] * int(rng.integers(3, 6))]


@hidden(
    "count_pairs: random words", 5, "Every pair of neighbours, times how often the word occurs."
)
def pairs_random(agree, rng):
    for count in (1, 5, 20):
        these = words(rng, count)
        agree("counted", words=these, times=rng.integers(1, 50, len(these)).tolist())


@hidden("count_pairs: runs, short words, none", 5, "1 1 1 holds (1, 1) twice; a word may be empty.")
def pairs_edges(agree, rng):
    times = rng.integers(1, 9, 4).tolist()
    agree("counted", words=[[1, 1, 1], [], [5], [int(rng.integers(9))] * 4], times=times)
    agree("counted", words=[], times=[])


def entries(rng, pairs, slack):
    """Counts of random pairs, and entries of which none promises less than that."""
    every = [[a, b] for a in range(pairs) for b in range(3)]
    counts = [[int(n), pair] for n, pair in zip(rng.integers(0, 6, len(every)), every, strict=True)]
    heap = [[-n - int(rng.integers(0, slack)), pair] for n, pair in counts]
    heap = [entry for entry in heap if entry[0]]
    heap += [[-n, pair] for n, pair in counts if n and rng.random() < 0.3]
    return {"entries": sorted(heap), "counts": counts}


@shown("most_frequent: one entry out of date", 3, "Push it back with its count of now, go on.")
def frequent_small(agree, rng):
    n = int(rng.integers(6, 20))
    heap = [[-n - 2, [1, 2]], [-n, [3, 4]], [-n, [3, 9]]]
    agree("popped", entries=heap, counts=[[n - 1, [1, 2]], [n, [3, 4]], [n, [3, 9]]])


@hidden(
    "most_frequent: ties", 5, "Of equal counts the smaller pair, by its first token, then second."
)
def frequent_ties(agree, rng):
    for pairs in (2, 5):
        agree("popped", **entries(rng, pairs, 1))


@hidden(
    "most_frequent: many out of date", 6, "Drop pairs that are gone; None when the heap is empty."
)
def frequent_stale(agree, rng):
    for pairs in (1, 3, 6):
        agree("popped", **entries(rng, pairs, 4))
    agree("popped", entries=[[-3, [1, 1]], [-2, [0, 1]]], counts=[[0, [1, 1]], [0, [0, 1]]])


@shown("merge: once in a word", 3, "The pair goes, and so do the pairs with both its neighbours.")
def merge_small(agree, rng):
    a, b, c, d = rng.permutation(9)[:4].tolist()
    agree("merged", words=[[a, b, c, d], [b, c], [c, b]], pair=[b, c], new=300)


@hidden("merge: several times, at both ends", 5, "Neighbours may be new tokens themselves.")
def merge_random(agree, rng):
    agree("merged", words=words(rng, 12, 3), pair=[0, 1], new=int(rng.integers(256, 999)))
    agree("merged", words=[[0, 1, 0, 1, 0, 1], [0, 1], [1, 0, 1, 1], []], pair=[0, 1], new=256)


@hidden("merge: a token with itself", 6, "From left to right: 1 1 1 1 1 becomes 9 9 1.")
def merge_runs(agree, rng):
    runs = [[7] * n for n in range(6)] + [[1, *[7] * n, 2] for n in range(6)]
    agree("merged", words=runs + words(rng, 8, 2), pair=[7, 7], new=int(rng.integers(256, 999)))
    agree("merged", words=words(rng, 10, 2, 12), pair=[1, 1], new=256)


def text(rng, letters="aab b\nc\u00e9", length=60):
    """A random text in which pairs tie, overlap and repeat."""
    return some(rng, letters, length // 2, length)


@shown("BPETokenizer.train: a few words", 4, "Merge the most frequent pair, again and again.")
def train_small(agree, rng):
    these = " ".join(rng.choice(["low", "lower", "lowest", "newer", "wider"], 8))
    agree("trained_by_default", texts=these, vocab_size=262)
    agree("trained", texts=these, vocab_size=262, special_tokens=[], min_frequency=2)


@hidden(
    "BPETokenizer.train: random texts",
    7,
    "Equal counts: the smaller pair. Count all words once, then touch only those in where[pair].",
)
def train_random(agree, rng):
    for letters in ("ab", "abc ", "aab b\nc\u00e9"):
        options = {"vocab_size": 275, "special_tokens": [], "min_frequency": 2}
        agree("trained", texts=text(rng, letters), **options)
        agree("trained", texts=[text(rng, letters) for _ in range(3)], **options)
    many = " ".join("".join(rng.choice(LETTERS, 4)) for _ in range(80))
    agree("trained", texts=many, **options)


@hidden("BPETokenizer.train: its end", 5, "Stop at the size, or when no pair is frequent enough.")
def train_ends(agree, refuses, rng):
    names = ["<end>", "b"]
    these = "<end>".join(text(rng, "ab c", 20) for _ in range(4))
    good = {"texts": these, "vocab_size": 300, "special_tokens": names, "min_frequency": 3}
    agree("trained", **{**good, "special_tokens": ["<end>"], "min_frequency": 1})
    agree("trained", **{**good, "vocab_size": 258})
    refuses("trained", ValueError, bad={**good, "vocab_size": 257}, good=good)


def ranked(rng, tokens, count):
    """Merges that build on each other, in a random order of learning."""
    pairs, ids = [], []
    while len(pairs) < count:
        pair = rng.choice([*tokens, *ids], 2).tolist()
        if pair not in pairs:
            pairs.append(pair)
            ids.append(256 + len(ids))
    return {"pairs": pairs, "ids": ids}


@shown("encode_piece: two merges", 4, "The pair with the smallest rank is merged first.")
def piece_small(agree, rng):
    a, b, c = rng.choice(range(97, 123), 3, replace=False).tolist()
    ranks = {"pairs": [[b, c], [a, b]], "ids": [256, 257]}
    agree("piece", pieces=[[a, b, c, a, b], [a], [b, c]], **ranks)


@hidden("encode_piece: random merges", 6, "After a merge, its new neighbours may merge as well.")
def piece_random(agree, rng):
    for tokens, count in (([97, 98], 6), ([97, 98, 99], 15), ([97, 255, 0], 40)):
        pieces = [rng.choice(tokens, int(rng.integers(0, 15))).tolist() for _ in range(15)]
        agree("piece", pieces=pieces, **ranked(rng, tokens, count))


@hidden("encode_piece: runs, and no merge at all", 4, "The leftmost first, so 1 1 1 is 9 1.")
def piece_edges(agree, rng):
    byte = int(rng.integers(256))
    ranks = {"pairs": [[byte, byte], [256, 256], [256, byte]], "ids": [256, 257, 258]}
    agree("piece", pieces=[[byte] * n for n in range(9)], **ranks)
    agree("piece", pieces=[rng.integers(0, 256, 9).tolist(), []], pairs=[], ids=[])


MERGES = [[104, 101], [108, 108], [256, 257], [258, 111], [32, 259], [195, 169], [98, 261]]


def codes(rng, extra=""):
    """Texts as lists of code points."""
    letters = "hello hello \n\t1'23s,._b\u00e9\u4e2d\U0001f600\u0301"
    return [[ord(c) for c in some(rng, letters, 10, 40) + extra] for _ in range(4)]


@shown("BPETokenizer.encode: a greeting", 2, "Look up the tokens of each word, and append them.")
def encode_small(agree, rng):
    texts = [[ord(c) for c in "hello hello"], *codes(rng)[:1]]
    agree("encoded", merges=MERGES, special_tokens=[], codes=texts, special=False)


@hidden(
    "BPETokenizer.encode: special tokens", 6, "Their names are text, unless `special` is given."
)
def encode_special(agree, refuses, rng):
    names = ["<a>", "<a>b", "he"]
    texts = codes(rng, "<a>b<a>he<a><") + [[], [ord(c) for c in "<a>"]]
    good = {"merges": MERGES, "special_tokens": names, "codes": texts, "special": False}
    agree("encoded", **{**good, "special": True})
    agree("encoded", **{**good, "special_tokens": [], "special": True})
    for special in (False, True):  # one word, whose tokens are a list in memory
        agree("encoded", **{**good, "codes": [[104, 101]], "special": special})
    refuses("encoded", ValueError, bad={**good, "codes": [[104, 0xD83D]]}, good=good)


@hidden("BPETokenizer.encode: decode", 6, "Join all bytes first; what is no UTF-8 becomes U+FFFD.")
def decode_random(agree, refuses, rng):
    size = 256 + len(MERGES) + 1
    ids = [rng.integers(0, size, 20).tolist() for _ in range(4)] + [[195, 169], [240, 159, 152]]
    good = {"merges": MERGES, "special_tokens": ["<\u00e9>"], "kind": "list", "errors": "replace"}
    for kind in ("list", "tuple", "array", "tensor"):
        agree("decoded", **{**good, "ids": ids, "kind": kind})
    agree("decoded", **{**good, "ids": [*ids, []], "errors": "ignore"})
    strict = {**good, "ids": [[104, 195, 169]], "errors": "strict"}
    refuses("decoded", ValueError, bad={**strict, "ids": [[104, 195]]}, good=strict)
    fine = {"merges": MERGES, "ids": [size - 2, 195]}
    for wrong in ([size - 1], [-1]):
        refuses("decode_one", ValueError, bad={**fine, "ids": wrong}, good=fine)


@hidden("BPETokenizer.to_json: saved and opened", 4, "Merges and names stay in their order.")
def json_random(agree, rng):
    merges = ranked(rng, [97, 98, 99], 12)["pairs"]
    names = rng.permutation(["<z>", "<a>", "<\u4e2d>"]).tolist()
    agree("saved", merges=merges, special_tokens=names)
    state = {"format": "tinytorch.BPETokenizer/1", "merges": merges, "special_tokens": names}
    agree("opened", text=json.dumps(state))


@hidden(
    "BPETokenizer.to_json: what is refused", 4, "No JSON, another format, other keys: ValueError."
)
def json_refused(refuses, rng):
    merges = ranked(rng, [97, 98], 5)["pairs"]
    state = {"format": "tinytorch.BPETokenizer/1", "merges": merges, "special_tokens": []}
    good = {"text": json.dumps(state)}
    wrong = [
        {**state, "format": "tinytorch.BPETokenizer/2"},
        {**state, "more": 1},
        {"format": state["format"], "merges": merges},
        {**state, "special_tokens": "<end>"},
        {**state, "merges": {}},
        [state],
    ]
    for bad in [*map(json.dumps, wrong), good["text"][:-1], "[" * 100_000]:
        refuses("opened", ValueError, bad={"text": bad}, good=good)
