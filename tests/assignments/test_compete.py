"""`tito compete`: entries are measured as the grader does it, and what is wrong is one line."""

import re
from pathlib import Path

import numpy as np
import pytest

import tinytorch as tt
from assignments.compete import FOLDER, _measure, rehearse
from assignments.competition import given, language
from assignments.competition.practice import digits, letters, turns
from assignments.competition.practice.entry import Entry, Refused
from assignments.competition.tracks import find
from assignments.competition.weight import bare, weigh
from assignments.repository import TitoError
from tests.student import ROOT, StudentRepository
from tinytorch.capstone import chain, pack, write_entry

SUBMISSIONS = ROOT / "tests" / "submissions" / "competition"
ZEROS = "import numpy as np\n\n\ndef load(data):\n    return lambda x: {}\n"


def packed(bits) -> bytes:
    """Return the given network in so many bits for each layer."""
    sizes = (64, 128, 64, 10)
    first, *rest = (tt.Linear(m, n) for m, n in zip(sizes, sizes[1:], strict=False))
    model = tt.Sequential(first, *(layer for one in rest for layer in (tt.ReLU(), one)))
    model.load_state_dict(given.digits())
    return pack(chain(model), bits)


def rehearsed(root: Path, source: str, letter: str = "A", limit_s: float = 60):
    """Return what becomes of an entry with this source."""
    track = find(letter)
    (root / FOLDER).mkdir(exist_ok=True)
    (root / FOLDER / track.source).write_text(source, encoding="utf-8")
    return _measure(root, track, "closed", limit_s)


def test_entries_of_the_lesson_pass_on_a_student_s_framework(tmp_path):
    """Bytes are exact, gates are shown, and all of it is called practice."""
    student = StudentRepository(tmp_path / "mine")
    student.finish(*(name for name in tt.MODULES if (ROOT / f"tinytorch/{name}.py").is_file()))
    write_entry(student.root / FOLDER, "featherweight", packed([3, 3, 6]))
    write_entry(student.root / FOLDER, "sprint")
    run = student.tito("compete")
    assert (run.returncode, run.stderr) == (0, "")
    assert re.search(r"A Featherweight +closed +7453 bytes +68911 ", run.stdout)
    assert re.search(r"A: 7\d+ of data, \d+ of literals in the source", run.stdout)
    assert re.search(r"B Sprint +closed +\d", run.stdout) and "agreement" in run.stdout
    assert "This is practice" in run.stdout and "≥ 96%" in run.stdout


def test_a_missed_gate_is_exit_code_1_and_worth_nothing(tmp_path):
    """Two bits are too few."""
    student = StudentRepository(tmp_path / "mine")
    write_entry(student.root / FOLDER, "featherweight", packed(2))
    student.finish(*(name for name in tt.MODULES if (ROOT / f"tinytorch/{name}.py").is_file()))
    run = student.tito("compete", "featherweight", "a")
    assert run.returncode == 1 and re.search(r"gate\n.* missed\n", run.stdout)
    assert run.stdout.count("Featherweight") == 1


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nothing_like_it\n", "entry/featherweight.py:1: cannot be imported: ModuleNot"),
        ("def load(:\n", "entry/featherweight.py is not Python"),
        ("x = 1\n", "entry/featherweight.py has no function `load`"),
        (ZEROS.format("np.zeros((len(x), 9))"), "expected logits of shape (500, 10), got shape"),
        (ZEROS.format("np.full((len(x), 10), np.nan)"), "an answer holds NaN or infinity"),
        (ZEROS.format("np.zeros((len(x), 10), int)"), "expected logits of floats, got int64"),
        (ZEROS.format("x.nothing"), "entry/featherweight.py:5: AttributeError"),
        ("import os\nos._exit(7)\n", "ended by itself, with exit code 7"),
        ("import os\nos.write(2, b'a\\nb  c\\n')\nos._exit(7)\n", "code 7, and said: b c"),
        ("raise SystemExit(0)\n", "cannot be imported: SystemExit: 0"),
        ("def load(data):\n    len(data)\n", "returned None, expected a function: `return` one"),
        ("def load(data):\n    return 3\n", "`load` of entry/featherweight.py returned int, exp"),
    ],
)
def test_an_entry_that_does_not_answer_is_one_line(tmp_path, source, reason):
    """It says where, what was expected and what came."""
    found = rehearsed(tmp_path, source)
    assert reason in found.refused and "\n" not in found.refused
    assert not found.passed


def test_who_forgets_the_file_of_data_is_told(tmp_path):
    """An entry that begins with a copy of the baseline meets this."""
    (tmp_path / FOLDER).mkdir()
    source = "import numpy as np\n\n\ndef load(data):\n    return np.frombuffer(data).reshape(3)\n"
    (tmp_path / FOLDER / "featherweight.py").write_text(source)
    told = []
    (found,) = rehearse(tmp_path, begin=told.append)
    assert "featherweight.bin does not exist, so `load` got no bytes; " in found.refused
    assert found.refused.endswith("the baseline's are `given.packed()` of assignments.competition")
    assert told == [find("A")]


def test_an_entry_without_end_is_ended(tmp_path):
    """After a limit, which is long enough for what is honest."""
    found = rehearsed(tmp_path, "while True:\n    pass\n", limit_s=0.5)
    assert found.refused == "entry/featherweight.py: no end in 0.5 s"


def test_what_is_not_there_is_named(tmp_path):
    """All entries, or the one that was asked for."""
    with pytest.raises(TitoError, match=r"entry/ holds no entry: begin with .*/<track>\.py; "):
        rehearse(tmp_path)
    copied = re.escape("entry/sprint.py does not exist: begin with a copy of assignments/")
    with pytest.raises(TitoError, match=copied + r"competition/baseline/sprint\.py; "):
        rehearse(tmp_path, ["B"])


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("notes.txt", b"", "holds 'notes.txt', expected none but"),
        ("entry.toml", b"[sprint", "is not TOML"),
        ("entry.toml", b'[sprint]\ndivision = "own"', 'expected .sprint. with division = "closed"'),
        ("sprint.bin", b"x", "the closed division takes no data"),
        ("sprint.py", b"#" * 40000, "expected at most 32 KiB, got 39.06 KiB; make it smaller"),
    ],
)
def test_files_that_the_grader_refuses_are_refused_here(tmp_path, name, content, reason):
    """The rules of the folder are the same."""
    write_entry(tmp_path / FOLDER, "sprint")
    (tmp_path / FOLDER / name).write_bytes(content)
    (found,) = rehearse(tmp_path, ["B"])
    assert re.search(reason, found.refused)


def test_a_source_means_the_same_bare():
    """Baselines, gold, cheats and the course's own: without documentation they stay what they are.

    Bare, a source weighs the same, and to take more off leaves it as it is.
    """
    paths = [*SUBMISSIONS.rglob("*.py"), *(ROOT / "assignments" / "competition").rglob("*.py")]
    sources = [path.read_bytes() for path in paths if path.stem != "does_not_compile"]
    sources += [b'x = b"ab", 1j, 2**70, -300, "\xc3\xa9", ..., None\n', b'def f():\n    "doc"\n']
    assert len(sources) > 30
    for source in sources:
        assert weigh(bare(source)) == weigh(source)
        assert bare(bare(source)) == bare(source)


def test_kinship_sees_through_what_is_linear():
    """The given network is its own kin, a linear map that answers noise nearly alike is not."""
    rng = np.random.default_rng(0)
    noise = rng.random((500, 64), np.float32)
    logits = given.logits(given.digits(), noise)
    pixels = np.column_stack([noise, np.ones(len(noise))])
    linear = pixels @ np.linalg.lstsq(pixels, logits, rcond=None)[0]
    assert (
        np.corrcoef((linear - linear.mean(0)).ravel(), (logits - logits.mean(0)).ravel())[0, 1]
        > 0.9
    )
    assert given.kinship(logits, noise) == pytest.approx(1)
    assert given.kinship(linear, noise) == given.kinship(np.zeros((500, 10)), noise) == 0
    assert abs(given.kinship(rng.normal(0, 1, (500, 10)), noise)) < 0.1


def test_a_slow_first_call_does_not_shorten_the_blocks(monkeypatch):
    """Both sides get blocks of equal length, on a clock of the test's own."""
    now = [0.0]
    monkeypatch.setattr(turns.time, "process_time", lambda: now[0])

    def takes(seconds):
        times = iter([1.0])

        def forward(question):
            now[0] += next(times, seconds)
            return question

        return forward

    def draw(count):
        asked.append(count)
        return np.zeros((count, 2))

    asked, checked = [], []
    sides = takes(2**-10), takes(2**-13)
    found = turns.take_turns(sides, draw, lambda q, a: checked.append(len(a)), np.zeros(2), 3)
    np.testing.assert_allclose(found, [[2**-10, 2**-13]] * 3)
    assert asked[-6:] == [6, 49, 49, 6, 6, 49] and checked == [49] * 3


def test_the_baseline_reaches_its_own_target():
    """One seed of Time to target; a training that ends early has not reached it."""
    from assignments.competition import draws

    lesson = draws.lesson(np.random.default_rng(0))
    seconds, epochs, accuracy = digits._train(Entry.baseline(find("C")), lesson, 0, 0.95)
    assert 0 < seconds < np.inf and epochs > 1 and accuracy >= 0.95
    source = b"def train(images, labels, seed):\n    return []\n"
    nothing = Entry(find("C"), "closed", source, b"", "entry/target.py")
    assert digits._train(nothing, lesson, 0, 0.95) == (np.inf, 0, 0.0)


@pytest.mark.parametrize("track", ["B", "C", "D", "E"])
def test_a_function_that_returns_nothing_is_told_so(track, tmp_path):
    """The commonest slip; what Python says of it names no line of theirs."""
    found = rehearsed(tmp_path, f"def {find(track).function}(*given):\n    len(given)\n", track)
    path = f"{FOLDER}/{find(track).source}"
    assert re.match(rf"`(load|train)` of {path} returned None, expected an? ", found.refused)


UNIFORM = b"""import numpy as np


def train(text, letters, context, seed):
    yield lambda ids: np.full((len(ids), letters), -np.log(letters))
"""


def test_a_uniform_guess_is_worth_the_logarithm_of_the_letters(monkeypatch):
    """96 letters are 6.58 bits; the baseline learns for a moment and is judged as well."""
    monkeypatch.setattr(letters, "PIECES", 4)
    monkeypatch.setattr(letters, "REVEALS", 3)
    entry = Entry(find("D"), "closed", UNIFORM, b"", "entry/language.py")
    found = letters.predict(entry, seconds=0.1)
    assert found.value == pytest.approx(np.log2(96))
    assert np.isfinite(found.baseline) and found.ci95[0] == pytest.approx(found.ci95[1])
    wrong = UNIFORM.replace(b"-np.log", b"np.log")
    with pytest.raises(Refused, match="a distribution sums to 9216, expected 1"):
        letters.predict(Entry(find("D"), "closed", wrong, b"", "entry/language.py"), seconds=0.1)
    endless = UNIFORM.replace(b"-np.log(letters)", b"-2000.0")
    with pytest.raises(Refused, match="a log-probability is -2000, expected at least -1000"):
        letters.predict(Entry(find("D"), "closed", endless, b"", "entry/language.py"), seconds=0.1)
    coarse = UNIFORM.replace(b"-np.log(letters)", b"np.float16(-np.log(letters))")
    with pytest.raises(Refused, match="float16 has too few digits for that: return float32"):
        letters.predict(Entry(find("D"), "closed", coarse, b"", "entry/language.py"), seconds=0.1)


def test_the_baseline_of_decode_agrees_with_itself_and_nothing_else(tmp_path):
    """Every letter is held against what the baseline writes."""
    found = rehearsed(tmp_path, Entry.baseline(find("E")).source.decode(), "E")
    assert found.passed and found.found["value"] == pytest.approx(1, rel=0.5)
    source = "import numpy as np\ndef load(w):\n    return lambda p: np.zeros({}, int)\n"
    found = rehearsed(tmp_path, source.format(language.WRITTEN), "E")
    assert "not the baseline's" in found.refused
    found = rehearsed(tmp_path, "def load(w):\n    return w['no such weight']\n", "E")
    assert found.refused == "entry/decode.py:2: KeyError: 'no such weight'"


@pytest.mark.parametrize(
    ("answer", "came"),
    [
        ("y.tolist()", "expected a NumPy array, got list"),
        ("y.astype(float)", "expected int64 of shape (48,), got float64 of shape (48,)"),
        ("y[:1]", "expected int64 of shape (48,), got int64 of shape (1,)"),
        ("y if len(asked) < 9 else y.tolist()", "expected a NumPy array, got list"),
    ],
)
def test_no_letters_are_cast_or_broadcast(answer, came, tmp_path):
    """Neither before the clock goes nor when it does; the values would be right."""
    source = Entry.baseline(find("E")).source.decode()
    source = source.replace(
        "    return write\n",
        f"""    asked = []

    def answered(prompt):
        asked.append(1)
        y = write(prompt)
        return {answer}

    return answered
""",
    )
    found = rehearsed(tmp_path, source, "E")
    assert found.refused == f"entry/decode.py: TypeError: {came}"


def test_a_baseline_on_a_framework_of_other_dtypes_is_named(tmp_path):
    """It stands on the student's own: what is wrong there is no fault of the entry."""
    student = StudentRepository(tmp_path / "mine")
    student.finish(*tt.MODULES)
    student.write("tensor", **{"Tensor.numpy": "return self.data.astype(float)"})
    source = "import numpy as np\ndef load(w):\n    return lambda x: np.zeros((len(x), 10), 'f4')\n"
    found = rehearsed(student.root, source, "B")
    assert found.refused.startswith(
        "baseline/sprint.py: TypeError: expected float32 of shape (1, 1"
    )


def test_what_the_baseline_lacks_of_a_framework_is_not_put_on_the_entry(tmp_path):
    """It stands on the student's own, in which something may not be written yet."""
    student = StudentRepository(tmp_path / "mine")
    student.finish(*tt.MODULES)
    unwritten = "13_transformers: GPT.generate"
    student.write("transformers", **{"GPT.generate": f"raise NotImplementedError('{unwritten}')"})
    source = "def load(weights):\n    return lambda prompt: prompt\n"
    found = rehearsed(student.root, source, "E")
    assert re.fullmatch(rf"baseline/decode\.py:\d+: \w+: {unwritten}", found.refused)
