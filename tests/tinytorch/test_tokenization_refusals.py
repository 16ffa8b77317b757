"""Wrong texts, tokens, merges and files are refused where they enter, in one line."""

import json
import os

import numpy as np
import pytest

from tinytorch import tokenization
from tinytorch.tensor import Tensor
from tinytorch.tokenization import BPETokenizer, CharTokenizer

GOOD = {"format": tokenization.FORMAT, "merges": [[104, 105]], "special_tokens": ["<end>"]}


def refused(kind, work, *words):
    """Demand an error of one line that holds all words."""
    with pytest.raises(kind) as failure:
        work()
    text = str(failure.value)
    assert "\n" not in text
    assert len(text) < 400
    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize("text", [b"hi", None, 5, ["hi"]])
def test_what_is_no_text(text):
    """bytes are the likeliest mistake, and the cure is said."""
    kind, cure = type(text).__name__, "decode" if isinstance(text, bytes) else "str"
    refused(TypeError, lambda: BPETokenizer().encode(text), kind, cure)
    refused(TypeError, lambda: BPETokenizer().encode(text, special=True), kind)
    refused(TypeError, lambda: CharTokenizer(text), kind)
    refused(TypeError, lambda: CharTokenizer("hi").encode(text), kind)
    if text != ["hi"]:
        refused(TypeError, lambda: BPETokenizer.train([text], 300), kind)


def test_half_a_character():
    """The message says how to put two halves together, and the cure works."""
    halves = "smile \ud83d\ude42"
    refused(ValueError, lambda: BPETokenizer().encode(halves), "surrogate", "'\\ud83d'", "utf-16")
    refused(ValueError, lambda: BPETokenizer.train(halves * 2, 300), "surrogate")
    refused(ValueError, lambda: BPETokenizer([], ["\ud83d"]), "surrogate")
    mended = halves.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert BPETokenizer().decode(BPETokenizer().encode(mended)) == "smile \U0001f642"


def test_an_error_leaves_no_tokens_behind():
    """A word that was refused is refused again, and others are not harmed."""
    tokenizer = BPETokenizer()
    for _ in range(2):
        refused(ValueError, lambda: tokenizer.encode("\ud83d"), "surrogate")
    assert tokenizer.encode("hi") == [104, 105]


@pytest.mark.parametrize("ids", [[1.0], ["a"], [True], [[1, 2]], [None], 5, "12", Tensor(3)])
def test_tokens_that_are_no_ints(ids):
    """A row of a batch is one axis; a mask or a score is no token."""
    for tokenizer in (BPETokenizer(), CharTokenizer("abcdef")):
        refused(TypeError, lambda one=tokenizer: one.decode(ids))


@pytest.mark.parametrize("wrong", [-1, 257, 10**30])
def test_tokens_that_do_not_exist(wrong):
    """-1 must not be the last token."""
    refused(ValueError, lambda: BPETokenizer([(1, 2)]).decode([0, wrong]), "0 to 256", str(wrong))
    refused(ValueError, lambda: CharTokenizer("ab").decode([wrong]), "0 to 1", str(wrong))


def test_a_batch_of_rows_is_no_text():
    """decode takes one row at a time."""
    refused(TypeError, lambda: BPETokenizer().decode(np.zeros((2, 3), np.int64)), "one axis")


@pytest.mark.parametrize(
    "merges",
    [
        [(97, 98), (97, 98)],
        [(97, 256)],
        [(-1, 97)],
        [(97,)],
        [(97, 98, 99)],
        [(97, True)],
        [(97, 98.0)],
        [("a", "b")],
        ["ab"],
        [None],
        [(97, 10**30)],
        [(97, 97), *((256 + n, 256 + n) for n in range(9))],
    ],
)
def test_merges_that_cannot_be(merges):
    """Of later tokens, twice, of no tokens; or longer than any piece: 2¹⁰ bytes here."""
    refused(ValueError, lambda: BPETokenizer(merges), "BPETokenizer", "for ")


def test_the_longest_token_that_a_piece_can_be_is_a_token():
    """A space and 128 characters of four bytes each, learned and kept."""
    text = (" " + "\U0001f600" * 128) * 2
    tokenizer = BPETokenizer.train(text, 400)
    assert max(map(len, tokenizer.vocab)) == tokenization.LONGEST_TOKEN
    assert BPETokenizer.from_json(tokenizer.to_json()).merges == tokenizer.merges


@pytest.mark.parametrize("names", [[""], ["a", "a"], [5], [b"a"], [None]])
def test_names_of_special_tokens_that_cannot_be(names):
    """An empty name would be everywhere; a second one would take the first one's id."""
    refused(ValueError, lambda: BPETokenizer([], names), "special_tokens")
    refused(ValueError, lambda: BPETokenizer.train("hi", 300, names), "special_tokens")


def test_a_vocabulary_without_room():
    """256 bytes and each special token need one."""
    refused(ValueError, lambda: BPETokenizer.train("hi", 257, ["<a>", "<b>"]), "258", "257")
    assert BPETokenizer.train("hihi", 258, ["<a>", "<b>"]).merges == []


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "5",
        '"text"',
        "[" * 100_000,
        '{"a":' * 100_000,
        "9" * 10_000,
        b"\xff\xfe",
        b"PK\x03\x04",
        json.dumps({**GOOD, "format": "tinytorch.BPETokenizer/2"}),
        json.dumps({**GOOD, "format": ["x"]}),
        json.dumps({**GOOD, "merges": {"0": [1, 2]}}),
        json.dumps({**GOOD, "merges": [[104, 105], [104, 105]]}),
        json.dumps({**GOOD, "merges": [[104, 1e400]]}),
        json.dumps({**GOOD, "merges": [[104, 999]]}),
        json.dumps({**GOOD, "merges": [[97, 97], *([256 + n] * 2 for n in range(64))]}),
        json.dumps({**GOOD, "special_tokens": "<end>"}),
        json.dumps({**GOOD, "special_tokens": [""]}),
        json.dumps({**GOOD, "special_tokens": [["<end>"]]}),
        json.dumps({**GOOD, "special_tokens": ["\ud83d"]}),
        json.dumps({**GOOD, "pattern": "(a+)+"}),
        json.dumps({key: GOOD[key] for key in ("format", "merges")}),
        " " * (tokenization.LARGEST_FILE + 1),
    ],
    ids=lambda content: repr(content)[:40],
)
def test_a_file_that_is_no_tokenizer(tmp_path, content):
    """One line names the file and what is wrong; 64 doublings are no 2⁶⁴ bytes."""
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(ValueError, lambda: BPETokenizer.load(path), "tokenizer.json is no tokenizer")


def test_a_file_that_is_not_there(tmp_path):
    """The operating system says it best."""
    with pytest.raises(FileNotFoundError):
        BPETokenizer.load(tmp_path / "none.json")


def test_a_save_that_fails_keeps_the_old_file(tmp_path, monkeypatch):
    """Whatever happens, there is one whole file and nothing beside it."""
    path = tmp_path / "tokenizer.json"
    BPETokenizer([(97, 98)]).save(path)

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        BPETokenizer([(99, 100)]).save(path)
    assert BPETokenizer.load(path).merges == [(97, 98)]
    assert [one.name for one in tmp_path.iterdir()] == ["tokenizer.json"]
