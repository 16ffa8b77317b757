"""Gold and baseline of every track, what is weighed, and which files an entry may hold."""

from __future__ import annotations

import random
import re
from types import SimpleNamespace

import numpy as np
import pytest

from assignments.competition import draws, given, language
from assignments.competition.tracks import tracks
from autograder.competition import sprint, target, texts
from autograder.competition.contender import reference
from autograder.competition.decode import Writing
from autograder.competition.entries import baseline, read
from autograder.competition.featherweight import weigh
from autograder.competition.refusal import Refused
from autograder.competition.writer import continued
from tests.autograder.competition.arena import judged
from tests.submissions.competition import entries
from tests.submissions.competition.make_gold import CLOSED, Pupil, coded, packed, rounded

TRACKS = list(tracks())
DIVISIONS = [(name, division) for name, track in tracks().items() for division in track.divisions]
ALIKE = ["a"] * 200 + [""] * 200
NOT_ALIKE = random.Random(0).sample(ALIKE, 400)


PARTS = {
    "featherweight": ["data", "literals", "code"],
    "sprint": ["batch-1", "batch-256"],
    "target": ["missed"],
    "language": [],
    "decode": ["letters"],
}


@pytest.mark.parametrize("track", TRACKS)
def test_the_baseline_is_ranked_and_earns_next_to_nothing(track, box):
    """It is held against itself: what it gains is noise."""
    entry = baseline(tracks()[track])
    data = {f"{track}.bin": entry.data} if entry.data else {}
    result = judged({f"{track}.py": entry.source, **data}, track, box)
    assert (result.status, result.reason) == ("ranked", "")
    assert result.improvement == pytest.approx(1, rel=0.5)


@pytest.mark.parametrize(("track", "division"), DIVISIONS)
def test_gold_is_far_ahead_of_the_baseline(track, division, box):
    """With little effort and much noise, still at least silver by what is recorded."""
    result = judged(entries.gold(track, division), track, box)
    assert (result.status, result.division, result.reason) == ("ranked", division, "")
    assert result.points >= 50
    assert [part.name for part in result.outcome.parts] == PARTS[track]


def gold_module(track):
    space = {}
    exec(entries.gold(track)[f"{track}.py"], space)
    return space


def test_what_gold_reads_is_what_was_packed():
    """Integers become bytes and come back: nothing else is lost than by rounding."""
    pupil, images = Pupil(CLOSED, whole=True), draws.given_digits(held_back=True)[0]
    pupil.weights[1] += np.linspace(-0.3, 0.3, CLOSED.hidden, dtype="f4")
    first, bias, second, last = rounded(pupil.weights)
    answers = gold_module("featherweight")["load"](packed(pupil.weights))(images)
    expected = np.maximum(images @ first + bias, 0) @ second + last
    np.testing.assert_allclose(answers, expected, rtol=1e-4, atol=1e-4)


def test_rare_symbols_take_more_bits():
    """A table that fits, in log2(total / frequency) bits a symbol, and a byte at most beside."""
    table = np.array([1, 3, 252])
    symbols = np.random.default_rng(0).choice(3, size=2000, p=table / 256)
    number = coded(1, symbols, table)
    bits = np.log2(256 / table)[symbols].sum()
    assert number.bit_length() == pytest.approx(bits, abs=8)
    read, rest = gold_module("featherweight")["read"](number, bytes(table.tolist()), len(symbols))
    assert np.array_equal(read + 1, symbols) and rest == 1


def weight(box, source, data=b""):
    from autograder.competition.entries import Entry

    return weigh(box, Entry(tracks()["featherweight"], "closed", source.encode(), data))


def test_literals_count_by_what_they_hold_and_documentation_is_free(box):
    """3 + 4 + 8 + 1 + 2 bytes; None, True and docstrings nothing."""
    source = '"""Said."""\n# free\nx = "abc"\ny = b"defg", 1.5, 7, 300, None, True\n'
    found, entry = weight(box, source, b"12")
    assert (found.literals, found.data) == (3 + 4 + 8 + 1 + 2, 2)
    assert entry.source.decode() == '""""""\nx = \'abc\'\ny = (b\'defg\', 1.5, 7, 300, None, True)'


def test_what_runs_has_no_spaces_and_lines_of_its_own(box):
    """A function could read weights off the places of its instructions."""
    source = 'def f( x ):\n    """One."""\n    x;  x\n\n\n    return 1 # free\n'
    _, entry = weight(box, source)
    assert entry.source.decode() == 'def f(x):\n    """"""\n    x\n    x\n    return 1'


def test_lengths_of_literals_count_as_code(box):
    """Of two lists of 200 letters and 200 empty texts, the one without an order says more."""
    one, other = ("x = (" + ",".join(map(repr, texts)) + ")" for texts in (ALIKE, NOT_ALIKE))
    found = [weight(box, source)[0] for source in (one, other)]
    assert found[0].literals == found[1].literals == 200
    assert found[0].code + 40 < found[1].code


def test_an_error_names_the_line_that_the_student_wrote(box):
    """What runs has others, so the student's own text is asked."""
    source = b'"""Read."""\n\n\ndef load(data):\n\n    return 1 / 0\n'
    result = judged({"featherweight.py": source}, "featherweight", box)
    assert result.reason == "ZeroDivisionError in entry/featherweight.py, line 6"


def test_a_source_that_is_none_is_refused(box):
    """It is parsed where no harm is done."""
    for source in ("def", "(" * 5000, "x = '\udce9'".encode("utf-8", "surrogateescape")):
        with pytest.raises(Refused, match="entry/featherweight.py cannot be parsed"):
            source = source if isinstance(source, bytes) else source.encode()
            weight(box, type("S", (), {"encode": lambda self, s=source: s})())


@pytest.mark.parametrize(
    ("files", "track", "why"),
    [
        ({"notes.txt": b""}, "sprint", "entry/ holds 'notes.txt', expected none but"),
        ({"sprint.bin": b"1"}, "sprint", "entry/sprint.bin comes without entry/sprint.py"),
        ({"sprint.py": b"", "sprint.bin": b"1"}, "sprint", "closed division takes no data"),
        ({"target.py": b"", "target.bin": b"1"}, "target", "closed division takes no data"),
        ({"sprint.py": b"x" * (40 << 10)}, "sprint", "expected at most 32 KiB, got 40 KiB"),
        ({"sprint.py": b"", "entry.toml": b"= ="}, "sprint", "entry.toml is not TOML"),
        ({"sprint.py": b"", "entry.toml": b"sprint = 3"}, "sprint", r"expected \[sprint\] with"),
        (
            {"sprint.py": b"", "entry.toml": b"[Sprint]\ndivision = 'open'"},
            "sprint",
            r"'Sprint' is no track; choose from \[featherweight\]",
        ),
        (
            {"sprint.py": b"", "entry.toml": b"[sprint]\ndivison = 'open'"},
            "sprint",
            r"expected \[sprint\] with division",
        ),
        (
            {"sprint.py": b"", "entry.toml": b"[sprint]\ndivision = ['open']"},
            "sprint",
            r"expected \[sprint\] with division",
        ),
        (
            {"sprint.py": b"", "entry.toml": b"[sprint]\ndivision = 'own'"},
            "sprint",
            'division = "closed" or division = "open"',
        ),
    ],
)
def test_odd_files_are_refused_in_one_line(files, track, why):
    """What was expected, what came, what to do."""
    with pytest.raises(Refused, match=why):
        read(files, tracks()[track])


def test_an_open_entry_brings_its_own_weights(box):
    """It is held against the digits, not against the given network."""
    source = entries.gold("sprint")["sprint.py"] + (
        b"\n\nclosed = load\n\n\ndef load(weights, data):\n"
        b"    own, place = {}, 0\n"
        b"    for name, array in weights.items():\n"
        b"        raw = data[place : place + array.nbytes]\n"
        b"        own[name] = np.frombuffer(raw, np.float32).reshape(array.shape)\n"
        b"        place += array.nbytes\n"
        b"    return closed(own)\n"
    )
    settings = b'[sprint]\ndivision = "open"'
    files = {"sprint.py": source, "sprint.bin": given.packed(), "entry.toml": settings}
    result = judged(files, "sprint", box)
    assert (result.status, result.division, result.reason) == ("ranked", "open", "")
    assert [gate.name for gate in result.outcome.gates] == ["accuracy"]


def test_a_framework_that_is_half_done_harms_only_who_imports_it(box):
    """Modules are imported when the entry asks for them."""
    framework = {"tensor": b"1 / 0", "layers": b"def ("}
    assert judged(entries.gold("sprint"), "sprint", box, framework=framework).status == "ranked"
    plain = baseline(tracks()["sprint"]).source
    result = judged({"sprint.py": plain}, "sprint", box, framework=framework)
    assert result.status == "refused" and "ZeroDivisionError" in result.reason


def test_a_framework_that_carries_a_text_along_is_refused(box):
    """An entry has 32 KiB for what it knows before; what it imports has not twenty MiB more."""
    text = "".join(random.Random(0).choices("etaoin shrdlu", k=300_000))
    framework = reference()
    framework["layers"] += f"TEXT = {text!r}\n".encode()
    result = judged(entries.gold("language"), "language", box, framework=framework)
    assert result.status == "refused"
    assert re.search(r"tinytorch/ holds [34]\d\d KiB of packed code and lit", result.reason)


def test_kinship_is_of_no_scale():
    """Tiny answers would have squares that are rounded to nothing, or to the least there is."""
    images = np.random.default_rng(0).random((500, 64), np.float32)
    answers = given.logits(given.altered(np.random.default_rng(1)), images).astype(float)
    kin = given.kinship(answers, images)
    assert 0.3 < kin < 0.99
    for scale in (1e-162, 1e-300, 1e300):
        assert given.kinship(answers * scale, images) == pytest.approx(kin, rel=1e-6)
    assert given.kinship(0 * answers, images) == 0


def test_few_answers_have_no_kinship_that_could_be_missed():
    """A linear map fits them all, right or wrong; of many that do not differ, too."""
    rng = np.random.default_rng(0)
    weights, images = given.altered(rng), draws.hidden_digits(600, rng)[0]
    right, wrong = given.logits(weights, images), rng.standard_normal((600, 10))
    assert given.kinship_of_timed([(images, right)], weights) == pytest.approx(1)
    assert given.kinship_of_timed([(images, wrong)], weights) < 0.5
    few = [(images[:8], wrong[:8])] * 100
    assert given.kinship_of_timed(few, weights) == 1


def test_hidden_digits_are_new_each_time_and_the_given_network_reads_them():
    """What one seed draws, another does not; 98 % are read."""
    rng = np.random.default_rng(1)
    images, labels = draws.hidden_digits(4000, rng)
    again, _ = draws.hidden_digits(4000, rng)
    assert images.dtype == np.float32 and images.min() >= 0 and images.max() <= 1
    assert len(np.unique(np.concatenate([images, again]), axis=0)) == 8000
    assert np.mean(given.logits(given.digits(), images).argmax(axis=1) == labels) > 0.97


def test_the_graders_own_arithmetic_writes_what_the_framework_writes():
    """Track E's answers are held against it, letter by letter."""
    import tinytorch as tt

    sizes = (len(language.LETTERS), language.CONTEXT, language.LAYERS, language.HEADS)
    model = tt.GPT(tt.GPTConfig(*sizes, language.WIDTH))
    model.load_state_dict(language.weights())
    prompts = Writing(np.random.default_rng(3)).draw(3)
    written, margins = continued(language.weights(), prompts, language.WRITTEN)
    ids = model.generate(tt.Tensor(prompts), language.WRITTEN, temperature=0).numpy()
    assert np.array_equal(ids[:, language.PROMPT :], written)
    assert margins.min() > 0


def test_prompts_are_new_each_time():
    """No two runs ask the same."""
    drawn = [Writing(np.random.default_rng(seed)).draw(20) for seed in (1, 2)]
    assert len(np.unique(np.concatenate(drawn), axis=0)) == 40


def test_text_is_disguised_and_nothing_is_lost():
    """Every letter has another number, as often as before; pages stand in another order."""
    given_ids, hidden_ids = texts.disguised(np.random.default_rng(5))
    counts = [np.sort(np.bincount(ids, minlength=96)) for ids in (given_ids, language.given_text())]
    assert np.array_equal(*counts)
    assert len(hidden_ids) == len(texts.hidden()) > 100_000
    assert np.mean(given_ids == language.given_text()) < 0.2


def test_signs_are_new_each_time_and_never_twice():
    """Ten classes, in other shapes for each lesson; what is judged was not learned from."""
    lessons = [draws.lesson(np.random.default_rng(seed), 300, 200) for seed in (1, 2)]
    everything = [
        images for one in lessons for images in (one.images, one.validation[0], one.hidden[0])
    ]
    whole = np.concatenate(everything)
    assert len(np.unique(whole, axis=0)) == len(whole) == 1400
    assert whole.dtype == np.float32 and whole.min() >= 0 and whole.max() <= 1
    means = [
        np.stack([one.images[one.labels == label].mean(axis=0) for label in range(10)])
        for one in lessons
    ]
    assert np.abs(means[0] - means[1]).max(axis=1).min() > 0.2


def test_pixels_of_a_lesson_stand_in_an_order_of_its_own():
    """Neighbours are alike in signs as they were written; here no more than any two are."""
    alike = []
    for images in (draws.signs(300, np.random.default_rng(1)), lesson_of(1), lesson_of(2)):
        pairs = np.corrcoef(images.T)
        alike.append(np.mean([pairs[i, i + 1] for i in range(63) if i % 8 < 7]))
    assert alike[0] > 0.4 and max(map(abs, alike[1:])) < 0.2


def lesson_of(seed):
    return draws.lesson(np.random.default_rng(seed), 300, 10).images


def test_no_digit_is_asked_twice_in_the_same_way():
    """Not in one draw, nor in the next: who has seen it would know the answer."""
    stream = draws.Stream(np.random.default_rng(1))
    first, labels = stream.draw(3000)
    again, _ = stream.draw(3000)
    assert first.shape == (3000, 64) and labels.shape == (3000,)
    square = (first.astype(float) ** 2).sum(axis=1)
    apart = square[:300, None] + square - 2 * first[:300].astype(float) @ first.T
    assert np.sort(apart, axis=1)[:, 1].min() > 0.1  # noise alone is 0.2 on average
    assert np.abs(first - again).max(axis=1).min() > 0.1


NEVER = f"""
import numpy as np


def train(images, labels, seed):
    while True:
        sum(range(100_000))
        yield {{name: np.zeros(shape, np.float32) for name, shape in {given.SHAPES!r}.items()}}
""".encode()


def test_a_training_that_never_ends_is_not_waited_for(box, monkeypatch):
    """It may take a hundred times the baseline's time, and not as many as it is judged."""
    monkeypatch.setattr(target, "LONGEST_S", 0.05)
    result = judged({"target.py": NEVER}, "target", box)
    assert re.search(r"\d\.\d% after 0\.05 s, expected 96%", result.reason)


def test_a_framework_holds_no_text_in_its_docstrings(box):
    """They are not counted, so they are not there."""
    framework = reference()
    framework["tokenization"] += b'\n\ndef hidden():\n    """A text."""\n'
    source = b"import tinytorch.tokenization as t\nraise ValueError(repr(t.hidden.__doc__))\n"
    found = judged({"language.py": source}, "language", box, framework=framework)
    assert found.reason.endswith("line 2: ''")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [(0.27, r"agreement 7\d\.\d\d%"), (0.0, "row 9 of 256 is right 0% of the time")],
)
def test_a_row_is_left_out_only_where_the_others_are_right(wrong, reason):
    """Of 256 rows that are wrong by chance, some are so in most of twenty answers."""
    rng = np.random.default_rng(0)
    agreement = sprint.Agreement("open", {})
    for batch in sprint.BATCHES:
        answers = np.zeros((sprint.SEEN, batch, 10))
        answers[..., 1] = rng.random(answers.shape[:2]) < wrong
        answers[:, 9:10, 1] = 1
        labels = np.zeros(answers.shape[:2], int)
        agreement.check(np.zeros((*labels.shape, 64)), labels, answers)
    arena = SimpleNamespace(entry=SimpleNamespace(gates={"agreement": 0.99}))
    with pytest.raises(Refused, match=reason):
        sprint._require(agreement, arena)
