"""Tokenization: text becomes a list of integers that a model can look up, and comes back whole.

`CharTokenizer` has one token for each character. `BPETokenizer` has the 256 bytes, and tokens for
what often stands together, learned from a text: `train` merges the most frequent pair of tokens
into a new one, again and again; `encode` does the same merges in the same order. A text is cut into
pieces first (`PATTERN`), and no token ever reaches from one piece into the next. So words are
counted and merged once, however often they occur.
"""

from __future__ import annotations

import heapq
import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

__all__ = [
    "BPETokenizer",
    "CharTokenizer",
    "count_pairs",
    "encode_piece",
    "merge",
    "most_frequent",
]

# GPT-2's pattern, in the classes that Python's re has: an English ending; then, with the space
# before it, a run of letters, of digits, or of anything else; then spaces, but the last one before
# a word goes with the word. Where it is not GPT-2's: ½ and Ⅳ count as letters here, the control
# characters 1C to 1F as spaces, and no run is longer than 128, so that no piece takes long.
PATTERN = re.compile(
    r"'(?:[sdmt]|ll|re|ve)"
    r"| ?[^\W\d_]{1,128}| ?\d{1,128}| ?(?:[^\s\w]|_){1,128}"
    r"|\s{1,128}(?!\S)|\s{1,128}"
)
# What stands between spaces, with the one before it, and the spaces: PATTERN cuts wherever this
# does, and mostly nowhere else. Fewer and longer words to look up take half the time.
WORD = re.compile(r" ?\S+|\s+(?!\S)|\s+")
LONGEST_TOKEN = 4 * 128 + 1  # bytes in UTF-8 of a space and 128 characters
CACHED_WORDS, LONGEST_CACHED = 2**16, 128
LARGEST_FILE = 2**23  # bytes; 200,000 merges need a third of it
FORMAT = "tinytorch.BPETokenizer/1"

Pair = tuple[int, int]


class CharTokenizer:
    """One token for each character of an alphabet: token i is the character `alphabet[i]`."""

    def __init__(self, text: str):
        """Take the distinct characters of a text as the alphabet, in the order of their codes."""
        self.alphabet = "".join(sorted(set(_text("CharTokenizer", text))))
        self.ids = {character: i for i, character in enumerate(self.alphabet)}

    @property
    def vocab_size(self) -> int:
        """The number of characters."""
        return len(self.alphabet)

    def encode(self, text: str) -> list[int]:
        """Return the place of each character in the alphabet; `self.ids` has them.

        Errors: TypeError for no str, ValueError that names the character for one not in the
        alphabet.

        >>> CharTokenizer("hello").encode("hole")
        [1, 3, 2, 0]
        """
        try:
            return [self.ids[character] for character in _text("encode", text)]
        except KeyError as error:
            what = f"expected characters of the alphabet, got {error.args[0]!r}"
            raise ValueError(f"encode: {what}: make the tokenizer of a text that has it") from None

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text that these tokens stand for.

        `ids` may be a list, an array or a Tensor of one axis; `_ids` makes a list and refuses what
        is not in range(vocab_size), below 0 too.

        >>> CharTokenizer("hello").decode([1, 3, 2, 0])
        'hole'
        """
        return "".join([self.alphabet[i] for i in _ids(ids, self.vocab_size)])


def count_pairs(
    words: list[list[int]], times: list[int]
) -> tuple[dict[Pair, int], dict[Pair, list[int]]]:
    """Count the pairs of neighbours in all words, and note in which words each pair is.

    Word w occurs times[w] times. Returns counts, a defaultdict of int, with Σ_w times[w] · (how
    often the pair is in words[w], overlaps included), and where, a defaultdict of list, with the
    numbers of the words that hold the pair; a number may be there twice, and its order is free.

    >>> counts, where = count_pairs([[1, 2, 3], [2, 3], [7, 7, 7]], [10, 5, 1])
    >>> dict(counts)
    {(1, 2): 10, (2, 3): 15, (7, 7): 2}
    >>> where[2, 3]
    [0, 1]
    """
    counts, where = defaultdict(int), defaultdict(list)
    for w, ids in enumerate(words):
        for pair in pairwise(ids):
            counts[pair] += times[w]
            where[pair].append(w)
    return counts, where


def most_frequent(heap: list[tuple[int, Pair]], counts: dict[Pair, int]) -> Pair | None:
    """Take the most frequent pair off a heap whose entries may be out of date; None if all are.

    An entry is (-count, pair) as it was when it was pushed, so that the smallest entry comes first:
    the largest count, and of equal counts the smaller pair. A pair may have several entries, and
    one of them never says less than `counts` does. Take off the first entry: if its count is still
    right, return the pair; if the pair has become rarer, push it back with its count of now; drop
    it if the pair is gone (0). What is left is a heap again, and `counts` is as it was.

    >>> heap = [(-9, (1, 2)), (-5, (0, 7)), (-5, (3, 4))]
    >>> most_frequent(heap, {(1, 2): 4, (0, 7): 5, (3, 4): 5})
    (0, 7)
    >>> sorted(heap)
    [(-5, (3, 4)), (-4, (1, 2))]
    """
    while heap:
        negative, pair = heapq.heappop(heap)
        count = counts[pair]
        if count == -negative:
            return pair
        if 0 < count < -negative:
            heapq.heappush(heap, (-count, pair))
    return None


def merge(ids: list[int], pair: Pair, new: int) -> tuple[list[Pair], list[Pair]]:
    """Replace every occurrence of `pair` in `ids` by `new`, in place, from left to right.

    Returns the pairs of neighbours that are gone and those that came, one entry for each time:
    counts before, minus gone, plus came, are the counts of the new `ids`. Only the pair itself and
    its neighbours on both sides change; a pair that came and went again may be in both lists or in
    none. (1, 1) is in 1 1 1 once: what is merged is not merged again.

    >>> ids = [5, 1, 2, 3]
    >>> gone, came = merge(ids, (1, 2), 9)
    >>> ids, sorted(gone), sorted(came)
    ([5, 9, 3], [(1, 2), (2, 3), (5, 1)], [(5, 9), (9, 3)])
    """
    gone, came, i = [], [], 0
    while i + 1 < len(ids):
        if (ids[i], ids[i + 1]) == pair:
            gone.append(pair)
            if i > 0:
                gone.append((ids[i - 1], pair[0]))
                came.append((ids[i - 1], new))
            if i + 2 < len(ids):
                gone.append((pair[1], ids[i + 2]))
                came.append((new, ids[i + 2]))
            ids[i : i + 2] = [new]
        i += 1
    return gone, came


def encode_piece(piece: bytes, ranks: dict[Pair, int]) -> list[int]:
    """Encode one piece: begin with its bytes, and merge the neighbours of the lowest rank first.

    `ranks` has the token that a pair merges into; it is the larger, the later the merge was
    learned. Of all neighbours that can merge, those with the smallest `ranks[pair]` do, the
    leftmost first; again, until none can. Source: Sennrich, Haddow and Birch, "Neural machine
    translation of rare words with subword units", 2016, section 3.2.

    >>> encode_piece(b"abcab", {(97, 98): 256, (256, 99): 257})
    [257, 256]
    """
    ids, none = list(piece), 256 + len(ranks)  # greater than every rank
    ranked = [ranks.get(pair, none) for pair in pairwise(ids)]
    while ranked and (new := min(ranked)) != none:
        i = ranked.index(new)
        ids[i] = new
        del ids[i + 1], ranked[i]
        if i > 0:
            ranked[i - 1] = ranks.get((ids[i - 1], new), none)
        if i < len(ranked):
            ranked[i] = ranks.get((new, ids[i + 1]), none)
    return ids


class _Words(dict):
    """The tokens of words met before; a new word is cut into pieces at its first look-up."""

    def __init__(self, ranks: dict[Pair, int]):
        """Begin with no word."""
        super().__init__()
        self.ranks = ranks

    def __missing__(self, word: str) -> list[int]:
        pieces = PATTERN.findall(word)
        if len(pieces) > 1:
            ids = [i for piece in pieces for i in self[piece]]
        else:
            ids = encode_piece(_utf8(word), self.ranks)
        if len(self) >= CACHED_WORDS:
            self.clear()  # the frequent ones are soon back, and memory has an end
        if len(word) <= LONGEST_CACHED:
            self[word] = ids
        return ids


class BPETokenizer:
    """Byte-level byte-pair encoding: tokens 0 to 255 are the bytes, then the merges in order.

    Token 256 + n is the concatenation of the two in `merges[n]`; special tokens come last.
    `vocab[i]` is the text of token i, as bytes; `special_tokens` maps names to ids. A tokenizer
    does not change. Sources: Gage, "A new algorithm for data compression", 1994; Radford and
    others, "Language models are unsupervised multitask learners", 2019, section 2.2.
    """

    def __init__(self, merges: Iterable[Pair] = (), special_tokens: Iterable[str] = ()):
        """Take merges, the first learned first, and the names of special tokens; or refuse them."""
        self.vocab, self.ranks = [bytes([byte]) for byte in range(256)], {}
        for pair in merges:
            pair = self._merge_of(pair)
            self.ranks[pair] = len(self.vocab)
            self.vocab.append(self.vocab[pair[0]] + self.vocab[pair[1]])
        names = _names(special_tokens)
        self.special_tokens = {name: len(self.vocab) + i for i, name in enumerate(names)}
        self.vocab += [_utf8(name) for name in names]
        self._special = _alternatives(names)
        self._words = _Words(self.ranks)

    def _merge_of(self, pair) -> Pair:
        """Return the pair of the next merge as a tuple; ValueError for one that cannot be."""
        what, next_id = "expected merges of two earlier tokens", len(self.vocab)
        if not (isinstance(pair, list | tuple) and [*map(type, pair)] == [int, int]):
            raise ValueError(f"BPETokenizer: {what}, got {pair!r:.40} for token {next_id}")
        if not (0 <= min(pair) and max(pair) < next_id and tuple(pair) not in self.ranks):
            raise ValueError(f"BPETokenizer: {what}, each once, got {pair!r:.80} for {next_id}")
        if sum(len(self.vocab[i]) for i in pair) > LONGEST_TOKEN:
            what = f"expected tokens of at most {LONGEST_TOKEN} bytes, as pieces are"
            raise ValueError(f"BPETokenizer: {what}, got a longer one for token {next_id}")
        return tuple(pair)

    @property
    def merges(self) -> list[Pair]:
        """The pairs that were merged, in order."""
        return list(self.ranks)

    @property
    def vocab_size(self) -> int:
        """The number of tokens: 256 bytes, the merges, the special tokens."""
        return len(self.vocab)

    def __repr__(self) -> str:
        """Show the size and the names of the special tokens."""
        special = ", ".join(self.special_tokens)
        return f"BPETokenizer(vocab_size={self.vocab_size}, special_tokens=[{special}])"

    @classmethod
    def train(
        cls,
        texts: str | Iterable[str],
        vocab_size: int,
        special_tokens: Iterable[str] = (),
        min_frequency: int = 2,
    ) -> BPETokenizer:
        """Learn merges from a text or several, until there are `vocab_size` tokens in all.

        Cut the texts into pieces (`_count_pieces`, which leaves out special tokens) and count the
        pairs in them once. Then, as often as there is room: merge the most frequent pair; of
        equally frequent ones the one whose first token is smaller, then whose second one is. Touch
        only the words in `where[pair]`, count only what changed in them, and push a pair that
        became more frequent onto the heap. The end comes early when no pair occurs `min_frequency`
        times. Errors: ValueError for a size without room for the bytes and special tokens.

        >>> tokenizer = BPETokenizer.train("low lower lowest", vocab_size=259)
        >>> tokenizer.merges
        [(108, 111), (256, 119), (32, 257)]
        >>> tokenizer.vocab[256:]
        [b'lo', b'low', b' low']
        """
        names = _names(special_tokens)
        wanted = vocab_size - 256 - len(names)
        if wanted < 0:
            what = (
                f"256 bytes and {len(names)} special tokens need vocab_size >= {256 + len(names)}"
            )
            raise ValueError(f"train: {what}, got {vocab_size}")
        pieces = _count_pieces([texts] if isinstance(texts, str) else texts, names)
        words, times = [list(_utf8(piece)) for piece in pieces], list(pieces.values())
        counts, where = count_pairs(words, times)
        heap = [(-count, pair) for pair, count in counts.items()]
        heapq.heapify(heap)
        merges: list[Pair] = []
        while len(merges) < wanted:
            pair = most_frequent(heap, counts)
            if pair is None or counts[pair] < min_frequency:
                break
            changes = defaultdict(int)
            for w in where.pop(pair):
                gone, came = merge(words[w], pair, 256 + len(merges))
                for one in gone:
                    changes[one] -= times[w]
                for one in came:
                    changes[one] += times[w]
                    where[one].append(w)
            merges.append(pair)
            for one, change in changes.items():
                counts[one] += change
                if change > 0:
                    heapq.heappush(heap, (-counts[one], one))
        return cls(merges, names)

    def encode(self, text: str, special: bool = False) -> list[int]:
        """Return the tokens of a text: those of its words, one after the other.

        Cut the text by `WORD.findall`; `self._words[word]` has the tokens of a word. The name of a
        special token is text like any other, as whoever wrote it may not be the one who may end a
        document. With `special`, names become their tokens: `self._special.split(text)` has what is
        between them at even places, they themselves at odd ones. Errors: TypeError for no str;
        ValueError for a lone surrogate, which no UTF-8 text has.

        >>> tokenizer = BPETokenizer([(104, 105)], special_tokens=["<end>"])
        >>> tokenizer.encode("hi!"), tokenizer.encode("hi<end>", special=True)
        ([256, 33], [256, 257])
        """
        ids = []
        if special:
            for place, part in enumerate(self._special.split(_text("encode", text))):
                ids += [self.special_tokens[part]] if place % 2 else self.encode(part)
            return ids
        words = self._words
        for word in WORD.findall(_text("encode", text)):
            ids += words[word]
        return ids

    def decode(self, ids: Iterable[int], errors: str = "replace") -> str:
        """Return the text of tokens: their bytes in a row, read as UTF-8.

        `ids` may be a list, an array or a Tensor of one axis; `_ids` makes a list and refuses what
        is no token. A model may well write bytes that are no UTF-8, or stop inside of a character:
        `errors` is that of bytes.decode, and "replace" writes � there.

        >>> tokenizer = BPETokenizer([(195, 169)])
        >>> tokenizer.decode([99, 97, 102, 256]), tokenizer.decode([99, 195])
        ('café', 'c�')
        """
        parts = [self.vocab[i] for i in _ids(ids, self.vocab_size)]
        return b"".join(parts).decode("utf-8", errors)

    def to_json(self) -> str:
        """Return the tokenizer as JSON: {"format": FORMAT, "merges": …, "special_tokens": […]}.

        Merges are lists of two ints, and like the names of special tokens stand in their order.

        >>> BPETokenizer([(104, 105)], ["<e>"]).to_json()
        '{"format": "tinytorch.BPETokenizer/1", "merges": [[104, 105]], "special_tokens": ["<e>"]}'
        """
        names = list(self.special_tokens)
        return json.dumps({"format": FORMAT, "merges": self.merges, "special_tokens": names})

    @classmethod
    def from_json(cls, text: str) -> BPETokenizer:
        """Return the tokenizer that `to_json` wrote, in the same order of merges.

        Errors: ValueError for what is no JSON (RecursionError too means that: it is nested too
        deeply), no object, of another format, or has other keys or no lists in them; the
        constructor refuses wrong merges and names.

        >>> BPETokenizer.from_json(BPETokenizer([(104, 105), (256, 33)]).to_json()).merges
        [(104, 105), (256, 33)]
        """
        try:
            state = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"from_json: no JSON ({type(error).__name__}): {_SAVE}") from None
        if not isinstance(state, dict) or state.get("format") != FORMAT:
            raise ValueError(f"from_json: expected an object of format {FORMAT}: {_SAVE}")
        kinds = {key: type(value) for key, value in state.items()}
        if kinds != {"format": str, "merges": list, "special_tokens": list}:
            what = "expected lists `merges` and `special_tokens`"
            raise ValueError(f"from_json: {what}, got {', '.join(kinds):.80}: {_SAVE}")
        return cls(state["merges"], state["special_tokens"])

    def save(self, path) -> None:
        """Write the tokenizer to a file, which is new and whole or as it was, whatever happens."""
        part = Path(f"{os.fspath(path)}.{os.getpid()}.part")
        try:
            with open(part, "w", encoding="utf-8") as stream:
                stream.write(self.to_json() + "\n")
                stream.flush()
                os.fsync(stream.fileno())  # or a power cut could leave the name without its bytes
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)

    @classmethod
    def load(cls, path) -> BPETokenizer:
        """Read what `save` wrote; ValueError says in one line why a file is no tokenizer."""
        with open(path, "rb") as stream:
            data = stream.read(LARGEST_FILE + 1)
        try:
            if len(data) > LARGEST_FILE:
                raise ValueError(f"expected at most {LARGEST_FILE} bytes")
            return cls.from_json(data.decode("utf-8"))
        except ValueError as error:
            raise ValueError(f"load: {os.fspath(path)} is no tokenizer: {error}") from None


_SAVE = "take a file that `save` wrote"


def _count_pieces(texts: Iterable[str], names: list[str]) -> Counter[str]:
    """Count the pieces of all texts; special tokens part them and do not count."""
    words, between = Counter(), _alternatives(names)
    for text in texts:
        for part in between.split(_text("train", text))[::2]:
            words.update(WORD.findall(part))
    pieces = Counter()
    for word, times in words.items():
        for piece in PATTERN.findall(word):
            pieces[piece] += times
    return pieces


def _alternatives(names: list[str]) -> re.Pattern:
    """Return a pattern of any of the names, the longest that fits; of no names, it never fits."""
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile(f"({'|'.join(map(re.escape, longest_first)) or '(?!)'})")


def _names(special_tokens: Iterable[str]) -> list[str]:
    """Return the names of special tokens as a list; refuse one that is empty, twice or no text."""
    names = [special_tokens] if isinstance(special_tokens, str) else list(special_tokens)
    good = all(isinstance(name, str) and name for name in names)
    if not good or len(set(names)) < len(names):
        raise ValueError(f"special_tokens: expected distinct, non-empty names, got {names!r:.80}")
    return names


def _text(name: str, text: str) -> str:
    """Return the text; TypeError if it is none."""
    if not isinstance(text, str):
        cure = "; decode bytes first" if isinstance(text, bytes) else ""
        raise TypeError(f"{name}: expected str, got {type(text).__name__}{cure}")
    return text


def _utf8(text: str) -> bytes:
    """Return the text in UTF-8; ValueError for a lone surrogate, half of a character."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        cure = "text.encode('utf-16', 'surrogatepass').decode('utf-16', 'replace') mends it"
        raise ValueError(f"expected Unicode text, got a lone surrogate {half!r}; {cure}") from None


def _ids(ids: Iterable[int], size: int) -> list[int]:
    """Return ids as a list of ints; refuse what is not one axis of ints from 0 to size - 1."""
    ids = ids.tolist() if hasattr(ids, "tolist") else list(ids)
    if not isinstance(ids, list) or not all(_is_int(kind) for kind in set(map(type, ids))):
        raise TypeError(f"decode: expected one axis of ints, got {ids!r:.80}")
    if ids and not (0 <= min(ids) and max(ids) < size):
        wrong = next(i for i in ids if not 0 <= i < size)
        raise ValueError(f"decode: expected tokens from 0 to {size - 1}, got {wrong}")
    return ids


def _is_int(kind: type) -> bool:
    """Tell a type of ints, NumPy's among them; bool is none here."""
    return hasattr(kind, "__index__") and kind is not bool
