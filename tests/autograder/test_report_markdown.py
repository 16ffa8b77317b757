"""student.md: what to do next comes first, and no student can write the page."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from autograder import report as reports
from tests.autograder.grades import KEY, NOW, Course, Handed, check, grade, module

TAGS = set("h1 h2 h3 p table thead tbody tr th td code pre strong blockquote hr ul li".split())
EVIL = [
    "```\n# Injected\n<script>alert(1)</script>",
    "````\n[click](https://evil.example)",
    "`@everyone` | <img src=x onerror=alert(1)>",
    "| a | b |\n|---|---|\n| c | d |",
    "![x](https://evil.example/x.png)",
    "\n\n# Score: 100 / 100\n\n",
    "<!--", "--> <details>", "</code></pre><h1>", "~~~\n~~~", "https://evil.example", "@teacher",
    "#1", "\\`@a`", "`" * 50, "> quote", "- [x] done", "1. one", "$$x$$", "&lt;b&gt;", "\\",
]  # fmt: skip


class Page(HTMLParser):
    """Collects the tags of a page, and its text outside code."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.prose, self._in_code = set(), "", False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        """Note the tag; nothing of ours has an attribute but alignment and language."""
        self.tags.add(tag)
        assert not {name for name, _ in attrs} - {"style", "class"}
        self._in_code = self._in_code or tag == "code"

    def handle_endtag(self, tag):
        """Leave the tag."""
        self._in_code = self._in_code and tag != "code"

    def handle_data(self, data):
        """Note text that is no code."""
        if not self._in_code:
            self.prose += data


def render(*modules, isolation="full", notes=()):
    """Return student.md and the page it makes."""
    submission = Handed(Path("/nowhere"), notes=notes)
    staff = reports.build(
        grade(*modules, isolation=isolation),
        submission,
        submitter_key=KEY,
        course=Course(),
        now=NOW,
    )
    text = reports.student_markdown(reports.redact(staff, "student"))
    return text, Page(MarkdownIt("commonmark").enable("table").render(text))


def test_the_score_and_the_next_step_come_first():
    """The first failed check, where in the file, its hint, and how to try it at home."""
    failed = check(
        "Tensor.matmul", status="error", error="ValueError", line=42, hint="Compare one element."
    )
    text, _ = render(module(check(), failed))
    lines = [line for line in text.splitlines() if line]
    assert lines[0] == "# TinyTorch: 10 / 20 points"
    assert lines[1] == "`█████░░░░░` 1 of 2 checks pass."
    assert lines[2] == (
        "**Next:** `Tensor.matmul`, `tinytorch/tensor.py` line 42. `ValueError`. "
        "Compare one element."
    )
    assert lines[3] == "Try it at home: `tito test 01 -k Tensor.matmul`"
    assert "| ✓ | `Tensor.add` | 10 / 10 | 1 / 1 |  |" in lines
    assert (
        "| ✗ | `Tensor.matmul` | 0 / 10 | 0 / 1 | line 42. `ValueError`. Compare one element. |"
    ) in lines


def test_a_module_that_cannot_run_says_why_once():
    """The note is the next step; the checks' details would only repeat it."""
    note = "tinytorch/tensor.py is missing: run `tito start 01` and commit it"
    shown = check(suite="shown", status="failed", message="no", hint="Add them.", line=3)
    text, _ = render(module(shown, note=note))
    assert "**Next:** `tinytorch/tensor.py is missing: run 'tito start 01' and commit it`" in text
    assert "### " not in text and "Add them." not in text and "line 3" not in text


def test_a_limit_is_named():
    """A loop without end says which bound it ran into."""
    text, _ = render(module(check(status="timeout", error="took longer than 10 s")))
    assert "It ran into a limit: `took longer than 10 s`" in text and "| ⧖ |" in text


def test_everything_passed_is_praised_and_nothing_is_asked():
    """A full score has no next step."""
    text, _ = render(module(check(), check("Tensor.sum")))
    assert "Everything passes" in text and "**Next:**" not in text and "██████████" in text


def test_the_bar_is_full_only_when_nothing_is_missing():
    """99.9 % must not look like done."""
    text, _ = render(module(check(worth=99.9), check("b", worth=0.1, status="failed")))
    assert "`█████████░`" in text


@pytest.mark.parametrize("isolation", ["none", "reduced(tcp, udp)"])
def test_practice_is_stamped(isolation):
    """Points without full isolation do not count, and the page says so at the top."""
    text, _ = render(module(check()), isolation=isolation)
    assert "> [!WARNING]" in text and "**Practice, no grade.**" in text and isolation in text
    assert "Practice" not in render(module(check()))[0]


def test_the_framework_as_a_whole_is_reported():
    """Alone 2 of 2, on the student's own lower modules 1 of 2."""
    text, _ = render(module(check(), check("b"), integrated_passed=1))
    assert "| 01 Tensor | 2 / 2 | 1 / 2 |" in text


def test_a_shown_check_shows_its_message_and_output():
    """Exactly as they came, in a block of their own."""
    shown = check(
        suite="shown", status="failed", message="expected 3, got 4", output="x = 4\n", line=7
    )
    text, _ = render(module(shown))
    assert "### `Tensor.add`: adds, `tinytorch/tensor.py` line 7" in text
    assert "```text\nexpected 3, got 4\n```" in text
    assert "Your code printed:\n\n```text\nx = 4\n```" in text


def everywhere(text):
    """Return modules and notes with `text` in every place a student's text can reach."""
    shown = check(
        suite="shown", status="error", error=text, message=text, output=text, hint="Hint.", line=1
    )
    hidden = check("Tensor.sum", "sums", status="error", error=text, message=text, output=text)
    second = check("relu", module="02_activations", status="error", error=text)
    blocked = replace(module(second, note=text), id="02_activations")
    return (module(shown, hidden), blocked), (text,)


@pytest.mark.parametrize("evil", EVIL)
def test_a_students_text_stays_inside_code(evil):
    """No heading, link, image, HTML, list or mention of theirs."""
    modules, notes = everywhere(evil)
    _, plain = render(*everywhere("x")[0], notes=("x",))
    _, page = render(*modules, notes=notes)
    assert page.tags <= TAGS
    assert page.prose == plain.prose


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([*EVIL, "\n", " ", "x", "`", "|"]), max_size=8).map("".join))
def test_no_mixture_of_markup_leaves_its_code(evil):
    """Whatever is combined."""
    modules, notes = everywhere(f"x{evil}")
    _, plain = render(*everywhere("x")[0], notes=("x",))
    _, page = render(*modules, notes=notes)
    assert page.tags <= TAGS
    assert page.prose == plain.prose


def test_a_hint_is_literal_but_for_its_code():
    """Authors write `a @ b` and a*b*c, not markup."""
    hint = "Use `a @ b` | not a*b*c, <b>, [x](y) or @name."
    text, page = render(module(check(status="failed", hint=hint)))
    assert "`a @ b`" in text and page.tags <= TAGS
    assert "not a*b*c, <b>, [x](y) or @\u200bname." in page.prose


def test_a_pipe_behind_a_backslash_does_not_end_the_cell():
    """GitHub takes the backslash as escaped then, and the pipe as the end of the cell."""
    text, _ = render(module(check(status="error", error="a\\\\|b|c")))
    assert "`a\\|b\\|c`" in text and "\\\\|" not in text


def test_a_page_is_never_too_long_for_a_comment():
    """Twenty modules of long output still fit; the rest is named."""
    shown = [
        check(f"f{i}", suite="shown", status="failed", message="m" * 2000, output="o" * 9000)
        for i in range(60)
    ]
    text, _ = render(module(*shown))
    assert len(text) < 65_000 and "student.json has all of it" in text
    assert text.rstrip().splitlines()[-1].startswith("Commit `cccccccccc`")
