"""What the checks of 10_tokenization ask of a framework; each function travels alone."""

import numpy as np

import tinytorch as tt


def characters(alphabet, text):
    """The tokens of a text."""
    tokenizer = object.__new__(tt.CharTokenizer)
    tokenizer.alphabet = alphabet
    tokenizer.ids = {character: i for i, character in enumerate(alphabet)}
    return tokenizer.encode(text)


def characters_back(alphabet, ids, kind):
    """The text of tokens that come as a list, an array or a Tensor."""
    tokenizer = object.__new__(tt.CharTokenizer)
    tokenizer.alphabet = alphabet
    tokenizer.ids = {character: i for i, character in enumerate(alphabet)}
    given = {"list": list, "array": np.array, "tensor": tt.Tensor}[kind](ids)
    return tokenizer.decode(given)


def counted(words, times):
    """The counts of all pairs, sorted, where each is, and whether asking for a new one is free."""
    given = [list(word) for word in words]
    counts, where = tt.tokenization.count_pairs(given, list(times))
    pairs = sorted(counts)
    return [
        [list(pair) for pair in pairs],
        [counts[pair] for pair in pairs],
        [sorted(set(where[pair])) for pair in pairs],
        [counts[-1, -1], list(where[-1, -1])],
        given == words,
    ]


def popped(entries, counts):
    """The pairs off a heap until none is left, what is on it after the first, if it is a heap."""
    heap = [(count, tuple(pair)) for count, pair in entries]
    table = {tuple(pair): count for count, pair in counts}
    after, pairs, kept = None, [], True
    while len(pairs) < 50:
        before = dict(table)
        pair = tt.tokenization.most_frequent(heap, table)
        pairs.append(None if pair is None else list(pair))
        kept = kept and table == before
        kept = kept and all(heap[(i - 1) // 2] <= heap[i] for i in range(1, len(heap)))
        if after is None:
            after = [[count, list(one)] for count, one in sorted(heap)]
        if pair is None:
            break
        table[pair] = 0  # as after a merge
    return [pairs, after, kept]


def merged(words, pair, new):
    """The words after a merge, and the sum of what went and came in each."""
    found = []
    for word in words:
        ids = [int(i) for i in word]
        gone, came = tt.tokenization.merge(ids, tuple(pair), new)
        changes = {}
        for sign, pairs in ((-1, gone), (1, came)):
            for one in pairs:
                changes[tuple(one)] = changes.get(tuple(one), 0) + sign
        found.append([ids, [[list(one), n] for one, n in sorted(changes.items()) if n]])
    return found


def trained(texts, vocab_size, special_tokens, min_frequency):
    """The merges and names that `train` finds, with helpers that this probe brings along.

    And of many words, whether fewer than half were gone through for a merge.
    """
    module, sizes, touched = tt.tokenization, [], []

    def count_pairs(words, times):
        sizes.append(len(words))
        counts, where = module.defaultdict(int), module.defaultdict(list)
        for w, ids in enumerate(words):
            for i in range(len(ids) - 1):
                counts[ids[i], ids[i + 1]] += times[w]
                where[ids[i], ids[i + 1]].append(w)
        return counts, where

    def most_frequent(heap, counts):
        while heap:
            heap.sort()
            negative, pair = heap.pop(0)
            if counts[pair] == -negative:
                return pair
            if 0 < counts[pair] < -negative:
                heap.append((-counts[pair], pair))
        return None

    def merge(ids, pair, new):
        touched.append(new)
        before, made, i = list(ids), [], 0
        while i < len(ids):
            both = tuple(ids[i : i + 2]) == pair
            made.append(new if both else ids[i])
            i += 2 if both else 1
        ids[:] = made
        sides = (before, made) if made != before else ([], [])
        return [list(zip(x, x[1:])) for x in sides]  # noqa: B905

    mine = {"count_pairs": count_pairs, "most_frequent": most_frequent, "merge": merge}
    theirs = {name: getattr(module, name) for name in mine}
    try:
        vars(module).update(mine)
        given = texts if isinstance(texts, str) else iter(texts)
        tokenizer = tt.BPETokenizer.train(given, vocab_size, special_tokens, min_frequency)
    finally:
        vars(module).update(theirs)
    most = max([*sizes, 0]) * len(tokenizer.ranks) / 2
    few = most < 300 or sum(sizes) + len(touched) < most
    return [[list(pair) for pair in tokenizer.ranks], tokenizer.special_tokens, few]


def trained_by_default(texts, vocab_size):
    """The merges of a text, with all helpers and settings the framework's own."""
    return [list(pair) for pair in tt.BPETokenizer.train(texts, vocab_size).ranks]


def piece(pieces, pairs, ids):
    """The tokens of pieces under given ranks, and whether the ranks were left alone."""
    ranks = {(a, b): new for (a, b), new in zip(pairs, ids, strict=True)}
    before = dict(ranks)
    found = [tt.tokenization.encode_piece(bytes(one), ranks) for one in pieces]
    return [found, ranks == before]


def encoded(merges, special_tokens, codes, special):
    """The tokens of texts that are given as code points; a second time too, from memory."""
    pieces = []

    def encode_piece(piece, ranks):
        pieces.append(piece)
        ids = list(piece)
        while True:
            pairs = [ranks.get((ids[i], ids[i + 1]), 10**9) for i in range(len(ids) - 1)]
            if not pairs or min(pairs) == 10**9:
                return ids
            i = pairs.index(min(pairs))
            ids[i : i + 2] = [pairs[i]]

    module = tt.tokenization
    theirs = module.encode_piece
    texts = ["".join(map(chr, one)) for one in codes]
    try:
        module.encode_piece = encode_piece
        tokenizer = tt.BPETokenizer([(a, b) for a, b in merges], special_tokens)
        first = [tokenizer.encode(text, special=special) for text in texts]
        first[0].append(-1)  # what the caller does with a result does not change the next one
        met = len(pieces)
        again = [tokenizer.encode(text, special=special) for text in texts]
        remembered = len(pieces) == met
        plain = [tokenizer.encode(text) for text in texts]
    finally:
        module.encode_piece = theirs
    return [first, again, plain, remembered]


def decoded(merges, special_tokens, ids, kind, errors):
    """The code points of the texts of tokens."""
    tokenizer = tt.BPETokenizer([(a, b) for a, b in merges], special_tokens)
    make = {"list": list, "array": np.array, "tensor": tt.Tensor, "tuple": tuple}[kind]
    return [[ord(c) for c in tokenizer.decode(make(one), errors)] for one in ids]


def decode_one(merges, ids):
    """The text of tokens."""
    return tt.BPETokenizer([(a, b) for a, b in merges]).decode(ids)


def saved(merges, special_tokens):
    """What the JSON of a tokenizer says."""
    json = tt.tokenization.json
    text = tt.BPETokenizer([(a, b) for a, b in merges], special_tokens).to_json()
    return [json.loads(text), list(json.loads(text)["special_tokens"]), isinstance(text, str)]


def opened(text):
    """The tokenizer in a JSON text."""
    tokenizer = tt.BPETokenizer.from_json(text)
    return [
        [list(pair) for pair in tokenizer.ranks],
        list(tokenizer.special_tokens),
        list(tokenizer.special_tokens.values()),
    ]
