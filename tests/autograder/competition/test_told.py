"""What the author of an entry is told: the file and the cause that they must mend."""

from __future__ import annotations

import numpy as np
import pytest

from assignments.competition.answers import require_like
from assignments.competition.practice import digits
from assignments.competition.practice.entry import Entry, Refused
from assignments.competition.tracks import tracks
from autograder.competition.contender import reference
from autograder.competition.entries import baseline
from autograder.sandbox import worker
from tests.autograder.competition.arena import judged
from tests.submissions.competition import entries

NO_RETURN = b"def load(weights):\n    answer = None\n"
NO_YIELD = b"def train(images, labels, seed):\n    images.sum()\n"
NO_YIELD_OF_TEXT = b"def train(text, letters, context, seed):\n    text.sum()\n"
BROKEN = b"x = 1\ndef (\n"


@pytest.mark.parametrize(
    ("module", "track", "came"),
    [
        ("layers", "sprint", "ImportError in tinytorch/autograd.py, line"),
        ("autograd", "sprint", "ModuleNotFoundError in tinytorch/training.py, line"),
        ("tensor", "decode", "ModuleNotFoundError in tinytorch/activations.py, line"),
        ("autograd", "target", "NotImplementedError in tinytorch/tensor.py, line"),
    ],
)
def test_a_module_that_does_not_compile_is_named_where_it_is_missed(module, track, came, box):
    """What raises is another file, in which there is nothing to mend."""
    framework = reference() | {module: BROKEN}
    source = baseline(tracks()[track]).source
    result = judged({f"{track}.py": source}, track, box, framework=framework)
    assert result.status == "refused" and result.reason.startswith(came)
    path = f"tinytorch/{module}.py"
    assert result.reason.endswith(
        f"; {path} does not compile: SyntaxError in {path}, line 2: invalid syntax"
    )


def test_a_module_that_does_not_compile_is_no_matter_of_other_errors(box):
    """It is missed by nobody here."""
    framework = reference() | {"layers": BROKEN}
    result = judged({"sprint.py": b"1 / 0"}, "sprint", box, framework=framework)
    assert result.reason.endswith("ZeroDivisionError in entry/sprint.py, line 1: division by zero")


def test_an_answer_that_nests_too_deep_is_called_so(box):
    """An entry of A stands on the reference, so nothing that its code says is shown."""
    source = b"def load(data):\n    x = []\n    x.append(x)\n    return lambda images: x\n"
    result = judged({"featherweight.py": source}, "featherweight", box)
    assert result.reason == "returned an answer that nests too deep; return one array"


@pytest.mark.parametrize(
    ("track", "source", "why"),
    [
        (
            "featherweight",
            NO_RETURN,
            "`load` of {} returned None, expected a function: `return` one",
        ),
        ("sprint", NO_RETURN, "`load` of {} returned None, expected a function: `return` one"),
        ("decode", NO_RETURN, "`load` of {} returned None, expected a function: `return` one"),
        ("target", NO_YIELD, "`train` of {} returned None, expected an iterator: `yield` what was"),
        (
            "language",
            NO_YIELD_OF_TEXT,
            "`train` of {} returned None, expected an iterator: `yield`",
        ),
    ],
)
def test_a_function_without_a_return_is_told_so(track, source, why, box):
    """The commonest slip of all; what Python says of it names no line of theirs."""
    result = judged({f"{track}.py": source}, track, box)
    assert result.status == "refused"
    assert result.reason.startswith(why.format(f"entry/{track}.py"))


def test_what_is_no_function_is_not_quoted(box):
    """The code of A can read the reference: of its words none is told."""
    source = b"def load(data):\n    return {'said': 1}\n"
    result = judged({"featherweight.py": source}, "featherweight", box)
    assert "returned something else, expected a function" in result.reason
    source = b"def load(weights):\n    raise ValueError('shown before any prompt is')\n"
    result = judged({"decode.py": source}, "decode", box)
    assert result.reason.endswith("line 2: shown before any prompt is")


def test_microseconds_are_of_one_batch_and_of_both_sides(box):
    """256 images take longer than one; their times and the ratio say the same."""
    parts = judged(entries.gold("sprint"), "sprint", box).outcome.parts
    one, many = ((part.value, part.baseline) for part in parts)
    assert 1 < one[0] < many[0] < 1e5 and all(base > mine for mine, base in (one, many))


HALF = b"""import numpy as np


def train(text, letters, context, seed):
    yield lambda ids: np.full((len(ids), letters), -np.log(letters)).astype(DTYPE)
"""


@pytest.mark.parametrize("dtype", ["f2", "f4"])
def test_float16_is_named_where_it_is_why_nothing_sums_to_1(dtype, box):
    """Three digits are too few for what is right in float32."""
    source = HALF.replace(b"DTYPE", repr(dtype).encode())
    result = judged({"language.py": source}, "language", box)
    why = "float16 has too few digits for that: return float32 or float64"
    assert result.reason.endswith(why if dtype == "f2" else "")
    assert (result.status == "refused") == (dtype == "f2")


@pytest.mark.parametrize(
    "value", [[1.0], None, np.float32(1), np.zeros(3), np.zeros((1, 3), "f4"), np.zeros(3, ">f4")]
)
def test_practice_says_what_the_grader_says_of_an_answer(value):
    """Letter by letter, of types, dtypes and shapes."""
    like = np.zeros(3, np.float32)
    with pytest.raises(TypeError) as practised:
        require_like(value, like)
    assert str(practised.value) == worker._difference(value, like)
    assert require_like(like, like) is like


@pytest.mark.parametrize(
    ("track", "right", "wrong"),
    [
        ("sprint", ".numpy()", ".numpy().astype('float16')"),
        ("sprint", ".numpy()", ".numpy().astype(float)"),
        ("sprint", ".numpy()", ".numpy()[:1]"),
        ("sprint", ".numpy()", ".numpy().tolist()"),
        ("target", ".numpy() for", ".numpy().astype(float) for"),
        ("target", ".numpy() for", ".numpy()[:1] for"),
        ("target", ".numpy() for", ".numpy() * np.float32('nan') for"),
    ],
)
def test_what_the_grader_refuses_practice_refuses(track, right, wrong, box):
    """In the same words: nothing is cast or broadcast for who practises."""
    source = baseline(tracks()[track]).source.replace(right.encode(), wrong.encode())
    result = judged({f"{track}.py": source}, track, box)
    entry = Entry(tracks()[track], "closed", source, b"", f"entry/{track}.py")
    with pytest.raises(Refused) as practised:
        digits.MEASURES[track](entry)
    where = "" if track == "target" else f"entry/{track}.py: "
    assert result.status == "refused" and "expected" in result.reason
    assert str(practised.value) == where + result.reason
