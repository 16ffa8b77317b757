"""Tokenizers learn and encode what a slow one does, and give back every text that Unicode has."""

import doctest
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.tinytorch.tokenizers_slow import slow_encode, slow_train
from tinytorch import tokenization
from tinytorch.tensor import Tensor, from_numpy
from tinytorch.tokenization import (
    PATTERN,
    WORD,
    BPETokenizer,
    CharTokenizer,
    count_pairs,
    encode_piece,
    merge,
    most_frequent,
)

pytestmark = pytest.mark.filterwarnings("error")

with np.load(Path(__file__).parent / "fixtures" / "tokenization.npz") as _file:
    FIXTURE = {name: array.tolist() for name, array in _file.items()}

# Few letters, so that pairs repeat, overlap and tie; and what cuts pieces in all ways.
DENSE = st.text("aab bc\n'_1é", max_size=60)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(st.one_of(DENSE, ANY), st.integers(256, 300), st.integers(1, 3))
@example("aaaaaaa aaaa aa", 300, 1)
@example("abababab babababa", 300, 1)
def test_training_is_that_of_the_slow_one(text, vocab_size, min_frequency):
    """Counting only what changed, and a heap that is out of date, change no merge."""
    fast = BPETokenizer.train(text, vocab_size, min_frequency=min_frequency)
    assert fast.merges == slow_train(PATTERN.findall(text), vocab_size - 256, min_frequency)


@given(DENSE, st.one_of(DENSE, ANY))
def test_encoding_is_that_of_the_slow_one_and_comes_back(seen, text):
    """Merging by rank, words cut and remembered: as merging everywhere, rank by rank."""
    tokenizer = BPETokenizer.train(seen * 3, 300)
    want = slow_encode(PATTERN.findall(text), tokenizer.merges)
    assert tokenizer.encode(text) == want
    assert tokenizer.encode(text) == want
    assert tokenizer.decode(want) == text


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=30, unique=True),
    st.lists(st.integers(97, 100), max_size=30),
)
def test_any_merges_in_any_order_are_those_of_the_slow_one(places, piece):
    """Also merges that no training would find, as a file may hold them."""
    merges = []
    for a, b in places:
        pair = tuple(97 + i if i < 4 else 252 + i for i in (a, b))
        if max(pair) < 256 + len(merges) and pair not in merges:
            merges.append(pair)
    ranks = {pair: 256 + n for n, pair in enumerate(merges)}
    assert encode_piece(bytes(piece), ranks) == slow_encode([bytes(piece).decode()], merges)


@given(st.one_of(ANY, DENSE, st.text("ab 1\n_", min_size=100, max_size=400)))
@example(" " * 300 + "x")
@example("a" * 127 + " " * 129 + "\n" * 128 + "\tb" + "'s" * 70)
def test_pieces_are_all_of_the_text_and_words_cut_only_where_pieces_do(text):
    """Nothing is left out, nothing twice; so looking up words is looking up pieces."""
    pieces = PATTERN.findall(text)
    assert "".join(pieces) == text
    assert [piece for word in WORD.findall(text) for piece in PATTERN.findall(word)] == pieces
    assert all(PATTERN.findall(piece) == [piece] for piece in pieces)
    assert max(map(len, pieces), default=0) <= 129


def test_pieces_are_those_of_gpt_2_where_classes_agree():
    """English endings, letters of any script, digits, signs, and the last space with the word."""
    text = "I'll go_to Ελλάδα   in 2026,\n\n  don't\tyou?! 中文"
    assert PATTERN.findall(text) == [
        *("I", "'ll", " go", "_", "to", " Ελλάδα", "  ", " in", " 2026", ",", "\n\n ", " don"),
        *("'t", "\t", "you", "?!", " 中文"),
    ]


@given(st.lists(st.lists(st.integers(0, 3), max_size=12), max_size=8), st.data())
def test_merging_word_by_word_keeps_the_counts(words, data):
    """However often merges follow each other, counts are those of counting anew."""
    times = data.draw(st.lists(st.integers(1, 9), min_size=len(words), max_size=len(words)))
    counts, where = count_pairs(words, times)
    for new in range(4, 9):
        anew, _ = count_pairs(words, times)
        assert +Counter(counts) == +Counter(anew)
        if not anew:
            break
        pair = data.draw(st.sampled_from(sorted(anew)))
        assert {w for w, ids in enumerate(words) if pair in pairwise(ids)} <= set(where[pair])
        for w in where.pop(pair):
            gone, came = merge(words[w], pair, new)
            for one in gone:
                counts[one] -= times[w]
            for one in came:
                counts[one] += times[w]
                where[one].append(w)


@given(st.dictionaries(st.tuples(*[st.integers(0, 3)] * 2), st.integers(0, 5)), st.data())
def test_a_lazy_heap_gives_pairs_in_the_order_of_their_counts(counts, data):
    """Entries may promise too much, any number of them; the order is that of sorting."""
    heap = [(-n, pair) for pair, n in counts.items() if n]
    for pair in counts:
        extra = data.draw(st.lists(st.integers(1, 9), max_size=2))
        heap += [(-counts[pair] - n, pair) for n in extra]
    heap.sort()
    want = sorted((pair for pair in counts if counts[pair]), key=lambda p: (-counts[p], p))
    got = []
    while (pair := most_frequent(heap, counts)) is not None:
        got.append(pair)
        counts[pair] = 0
    assert got == want
    assert heap == []


def test_merges_and_tokens_are_those_of_the_rust_tokenizers():
    """On words of bytes that both number in one order, `tokenizers` 0.23.3 found the same."""
    words, tokens = FIXTURE["words"], iter(FIXTURE["tokens"])
    tokenizer = BPETokenizer.train(words, 256 + len(FIXTURE["merges"]))
    vocab = [token.decode("latin-1") for token in tokenizer.vocab]
    assert [[vocab[i] for i in pair] for pair in tokenizer.merges] == FIXTURE["merges"]
    assert len(FIXTURE["merges"]) == 300
    for word, count in zip(words, FIXTURE["counts"], strict=True):
        assert [vocab[i] for i in tokenizer.encode(word)] == [next(tokens) for _ in range(count)]


def test_several_texts_are_words_of_one_and_do_not_touch():
    """A pair never reaches from the end of one text to the beginning of the next."""
    assert BPETokenizer.train(["ab", "ab", "a", "b"], 300).merges == [(97, 98)]
    assert BPETokenizer.train(iter(["a", "b"] * 5), 300).merges == []


def test_a_run_without_end_takes_no_square_of_its_length():
    """A word of a million letters is cut, so that each part of it is short and remembered."""
    tokenizer = BPETokenizer.train("ab" * 64, 262)
    ids = tokenizer.encode("ab" * 500_000)
    assert tokenizer.decode(ids) == "ab" * 500_000
    assert len(tokenizer._words) == 2  # 128 letters, and the 64 that are left


def test_memory_for_words_has_an_end(monkeypatch):
    """A service that meets new words all day must not grow for ever."""
    monkeypatch.setattr(tokenization, "CACHED_WORDS", 10)
    tokenizer = BPETokenizer.train("some words " * 3, 300)
    text = " ".join(map(str, range(100)))
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert len(tokenizer._words) <= 10


@given(ANY)
def test_characters_come_back(text):
    """An alphabet of any characters, in the order of their codes."""
    tokenizer = CharTokenizer(text)
    assert tokenizer.alphabet == "".join(sorted(set(text)))
    assert tokenizer.vocab_size == len(set(text))
    assert tokenizer.decode(tokenizer.encode(text)) == text


@given(st.lists(st.integers(0, 299), max_size=20))
def test_any_tokens_are_some_text(ids):
    """What a model writes can be shown, whatever it is, and as the bytes say."""
    tokenizer = BPETokenizer.train("ab ab abc " * 20 + "é中🙂" * 9, 299, ["<end>"])
    ids = [i for i in ids if i < tokenizer.vocab_size]
    want = b"".join(tokenizer.vocab[i] for i in ids).decode("utf-8", "replace")
    for given_ids in (
        ids,
        tuple(ids),
        iter(ids),
        np.array(ids, np.int64),
        [np.int32(i) for i in ids],
    ):
        assert tokenizer.decode(given_ids) == want
    assert tokenizer.decode(from_numpy(np.array(ids, np.int64))) == want


def test_special_tokens_take_part_only_when_asked():
    """The longest name that fits counts, and their bytes are their names."""
    tokenizer = BPETokenizer.train("abab", 260, ["<a>", "<a>b", "é"])
    a, ab, e = tokenizer.special_tokens.values()
    assert tokenizer.encode("x<a>b<a>ab<é", special=True) == [
        *(120, ab, a, *tokenizer.encode("ab"), 60, e)
    ]
    text = "x<a>b<a>ab<é"
    assert max(tokenizer.encode(text)) < a
    assert tokenizer.decode(tokenizer.encode(text, special=True)) == text
    assert tokenizer.vocab[e] == "é".encode()


def test_saved_and_loaded_is_the_same(tmp_path):
    """Merges in the same order, names with the same ids, the same tokens for a text."""
    tokenizer = BPETokenizer.train("the theme of them " * 4, 270, ["<z>", "<a>\n", "中"])
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    tokenizer.save(path)
    loaded = BPETokenizer.load(str(path))
    assert loaded.merges == tokenizer.merges
    assert loaded.special_tokens == tokenizer.special_tokens
    assert loaded.vocab == tokenizer.vocab
    assert json.loads(path.read_text("utf-8"))["format"] == tokenization.FORMAT
    assert [one.name for one in tmp_path.iterdir()] == ["tokenizer.json"]


def test_tokens_become_a_tensor_of_integers():
    """Module 11 looks rows up by them."""
    ids = Tensor(BPETokenizer().encode("hi"))
    assert (ids.dtype, ids.tolist()) == (np.int64, [104, 105])


def test_the_examples_in_the_docstrings_are_true():
    """What a student reads first is checked like everything else."""
    failed, tried = doctest.testmod(tokenization)
    assert failed == 0
    assert tried > 20
