"""What module 10 must do. Run it with `tito test 10`; the first sentence below a name says why."""

import json
from collections import Counter

import numpy as np
import pytest

from tinytorch.tensor import Tensor
from tinytorch.tokenization import (
    BPETokenizer,
    CharTokenizer,
    count_pairs,
    encode_piece,
    merge,
    most_frequent,
)

pytestmark = pytest.mark.filterwarnings("error")

HELLO = [(104, 101), (108, 108), (256, 257)]  # he, ll, hell
HARD = "naïve café, 中文 \U0001f600 e\u0301\r\n\t x  y   1½² _a_ don't \x00\x1c'S"


@pytest.mark.task("CharTokenizer.encode")
def test_a_character_is_its_place_in_the_alphabet():
    """The alphabet of "hello" is "ehlo": h is 1, o is 3, l is 2, e is 0."""
    assert CharTokenizer("hello").encode("hole") == [1, 3, 2, 0]
    assert CharTokenizer("hello").encode("") == []


@pytest.mark.task("CharTokenizer.encode")
def test_a_character_outside_of_the_alphabet_is_named():
    """A model has no row for it; silently leaving it out would change the text."""
    with pytest.raises(ValueError, match="'p'"):
        CharTokenizer("hello").encode("help")


@pytest.mark.task("CharTokenizer.encode")
def test_characters_come_back_from_lists_arrays_and_tensors():
    """What a model writes is a Tensor; -1 is no token, and must not be the last character."""
    tokenizer = CharTokenizer("hello")
    for ids in ([1, 3, 2, 0], np.array([1, 3, 2, 0]), Tensor([1, 3, 2, 0])):
        assert tokenizer.decode(ids) == "hole"
    for wrong in ([4], [-1]):
        with pytest.raises(ValueError, match="from 0 to 3"):
            tokenizer.decode(wrong)


@pytest.mark.task("count_pairs")
def test_pairs_count_as_often_as_their_words():
    """(2, 3) is in a word that occurs 10 times and in one that occurs 5 times."""
    counts, where = count_pairs([[1, 2, 3], [2, 3]], [10, 5])
    assert counts == {(1, 2): 10, (2, 3): 15}
    assert (sorted(set(where[1, 2])), sorted(set(where[2, 3]))) == ([0], [0, 1])


@pytest.mark.task("count_pairs")
def test_a_run_counts_every_pair_of_neighbours():
    """7 7 7 has two pairs of neighbours; a word of one token has none."""
    counts, where = count_pairs([[7, 7, 7], [7], []], [2, 9, 9])
    assert counts == {(7, 7): 4}
    assert set(where[7, 7]) == {0}


@pytest.mark.task("most_frequent")
def test_an_entry_that_promised_too_much_goes_back():
    """(1, 2) was pushed with 9 and occurs 4 times now: (0, 7) is the most frequent."""
    heap = [(-9, (1, 2)), (-5, (0, 7))]
    counts = {(1, 2): 4, (0, 7): 5}
    assert most_frequent(heap, counts) == (0, 7)
    counts[0, 7] = 0
    assert most_frequent(heap, counts) == (1, 2)


@pytest.mark.task("most_frequent")
def test_ties_go_to_the_smaller_pair_and_an_empty_heap_to_none():
    """Whoever trains on the same text gets the same tokenizer, on any machine."""
    heap = sorted([(-5, (3, 4)), (-5, (0, 9)), (-5, (0, 7)), (-2, (1, 1))])
    counts = {(3, 4): 5, (0, 9): 5, (0, 7): 5, (1, 1): 0}
    assert [most_frequent(heap, counts) for _ in range(4)] == [(0, 7), (0, 9), (3, 4), None]


@pytest.mark.task("merge")
def test_a_merge_changes_the_word_in_place():
    """The list is the caller's: it must be this list that is shorter afterwards."""
    ids = [1, 2, 3, 1, 2]
    gone, came = merge(ids, (1, 2), 9)
    assert ids == [9, 3, 9]
    assert Counter(came) - Counter(gone) == {(9, 3): 1, (3, 9): 1}
    assert Counter(gone) - Counter(came) == {(1, 2): 2, (2, 3): 1, (3, 1): 1}


@pytest.mark.task("merge")
@pytest.mark.parametrize(
    ("before", "after"),
    [([1, 1], [9]), ([1, 1, 1], [9, 1]), ([1, 1, 1, 1], [9, 9]), ([2, 1, 1, 1, 2], [2, 9, 1, 2])],
)
def test_what_went_and_what_came_add_up_in_runs(before, after):
    """Counts before, minus gone, plus came, are the counts afterwards: no pair counts twice."""
    ids = list(before)
    gone, came = merge(ids, (1, 1), 9)
    assert ids == after
    counts = Counter(zip(before, before[1:], strict=False))
    counts.subtract(gone)
    counts.update(came)
    assert +counts == Counter(zip(after, after[1:], strict=False))


def slow_merges(text, size):
    """Byte-pair encoding as it is told: count everything anew after each merge."""
    from tinytorch.tokenization import PATTERN

    words = [list(piece.encode()) for piece in PATTERN.findall(text)]
    merges = []
    while 256 + len(merges) < size:
        counts = Counter(pair for ids in words for pair in zip(ids, ids[1:], strict=False))
        count, (a, b) = max(((n, (-a, -b)) for (a, b), n in counts.items()), default=(0, (0, 0)))
        if count < 2:
            break
        pair = (-a, -b)
        for ids in words:
            i = 0
            while i + 1 < len(ids):
                if (ids[i], ids[i + 1]) == pair:
                    ids[i : i + 2] = [256 + len(merges)]
                i += 1
        merges.append(pair)
    return merges


@pytest.mark.task("BPETokenizer.train")
def test_the_first_merges_of_three_words():
    """(l, o) and (o, w) occur three times each: l is the smaller byte. Then lo with w, and on."""
    tokenizer = BPETokenizer.train("low lower lowest", 260)
    assert tokenizer.merges == [(108, 111), (256, 119), (32, 257), (258, 101)]
    assert tokenizer.vocab[256:] == [b"lo", b"low", b" low", b" lowe"]


@pytest.mark.task("BPETokenizer.train")
@pytest.mark.parametrize("text", ["aaaaaaa aaaa aaa aaaaa", "abab baba aabb " * 3, HARD * 4])
def test_training_finds_what_counting_anew_finds(text):
    """Only what changed is counted; the result must not show that."""
    assert BPETokenizer.train(text, 300).merges == slow_merges(text, 300)


@pytest.mark.task("BPETokenizer.train")
def test_training_stops_and_leaves_special_tokens_out():
    """No pair that occurs once is worth a token; a name's letters are not counted."""
    tokenizer = BPETokenizer.train(["ab<end>ab", "<end>cd"], 1000, ["<end>"])
    assert tokenizer.merges == [(97, 98)]
    assert tokenizer.special_tokens == {"<end>": 257}
    with pytest.raises(ValueError):
        BPETokenizer.train("ab", 256, ["<end>"])


@pytest.mark.task("encode_piece")
def test_the_lowest_rank_is_merged_first():
    """In "abc", (b, c) was learned first, so (a, b) has nothing left to merge."""
    ranks = {(98, 99): 256, (97, 98): 257}
    assert encode_piece(b"abcab", ranks) == [97, 256, 257]
    assert encode_piece(b"", ranks) == []
    assert encode_piece(b"a", ranks) == [97]


@pytest.mark.task("encode_piece")
def test_merges_build_on_merges():
    """a a a a: two pairs become two tokens, and these become one; a fifth a is left."""
    ranks = {(97, 97): 256, (256, 256): 257}
    assert encode_piece(b"aaaaa", ranks) == [257, 97]
    assert encode_piece(b"aaa", ranks) == [256, 97]


@pytest.mark.task("BPETokenizer.encode")
def test_a_text_is_the_tokens_of_its_words():
    """The space goes with the word behind it, and no merge reaches over it."""
    tokenizer = BPETokenizer(HELLO)
    assert tokenizer.encode("hello") == [258, 111]
    assert tokenizer.encode("he hell") == [256, 32, 258]
    assert tokenizer.encode("") == []


@pytest.mark.task("BPETokenizer.encode")
def test_every_text_comes_back():
    """Whatever the merges: all 256 bytes are tokens, so nothing is unknown."""
    for tokenizer in (BPETokenizer(), BPETokenizer(HELLO), BPETokenizer([(32, 32), (195, 169)])):
        assert tokenizer.decode(tokenizer.encode(HARD)) == HARD


@pytest.mark.task("BPETokenizer.encode")
def test_half_a_character_is_no_reason_to_stop():
    """é is two bytes, and a model may write one of them; the two may be in different tokens."""
    tokenizer = BPETokenizer([(99, 195)])
    assert tokenizer.decode([256, 169]) == "cé"
    assert tokenizer.decode([256]) == "c\ufffd"
    for wrong in ([257], [-1]):
        with pytest.raises(ValueError, match="from 0 to 256"):
            tokenizer.decode(Tensor(wrong))


@pytest.mark.task("BPETokenizer.encode")
def test_special_tokens_only_when_asked_for():
    """A user who writes <end> must not end the document; whoever builds it may."""
    tokenizer = BPETokenizer(HELLO, ["<end>", "<end>!"])
    assert tokenizer.encode("he<end>") == [256, *b"<end>"]
    assert tokenizer.encode("he<end>!<end>he", special=True) == [256, 260, 259, 256]
    assert tokenizer.decode([256, 259]) == "he<end>"


@pytest.mark.task("BPETokenizer.encode")
def test_a_lone_surrogate_is_refused():
    """Half of a character that was cut in two is no Unicode text."""
    with pytest.raises(ValueError):
        BPETokenizer().encode("hi \ud83d")


@pytest.mark.task("BPETokenizer.to_json")
def test_a_saved_tokenizer_has_its_merges_in_order(tmp_path):
    """With other ranks the same merges give other tokens."""
    merges = [(98, 99), (97, 98), (97, 256)]
    BPETokenizer(merges, ["<z>", "<a>"]).save(tmp_path / "tokenizer.json")
    tokenizer = BPETokenizer.load(tmp_path / "tokenizer.json")
    assert tokenizer.merges == merges
    assert tokenizer.special_tokens == {"<z>": 259, "<a>": 260}
    assert [path.name for path in tmp_path.iterdir()] == ["tokenizer.json"]


@pytest.mark.task("BPETokenizer.to_json")
def test_what_is_no_tokenizer_is_refused():
    """A file may come from anywhere; nothing in it is believed."""
    state = json.loads(BPETokenizer(HELLO).to_json())
    wrong = [{**state, "format": "other"}, {**state, "more": 1}, {**state, "merges": {}}, [], None]
    for text in [*map(json.dumps, wrong), "{", "[" * 100_000, ""]:
        with pytest.raises(ValueError):
            BPETokenizer.from_json(text)
