"""The lessons' figures are what the reference draws, and can be read on any page."""

from xml.etree import ElementTree

import pytest

from assignments import figures

COMMITTED = sorted(figures.FOLDER.glob("*/figures/*"))
SVG = "{http://www.w3.org/2000/svg}"


def test_no_figure_has_drifted():
    """Run `python -m assignments.figures`, look at the figure, and commit it."""
    assert figures.drifted() == []


def test_there_is_no_figure_without_a_function_that_draws_it():
    """A picture that nothing draws cannot be kept true."""
    assert [path.relative_to(figures.FOLDER).as_posix() for path in COMMITTED] == sorted(
        figures.FIGURES
    )


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_a_figure_stands_on_white_and_needs_nothing_else(path):
    """Dark pages show it too, it names no font, file or date, and it is small."""
    tree = ElementTree.parse(path)
    background = tree.find(f".//{SVG}g[@id='patch_1']/{SVG}path")
    assert "fill: #ffffff" in background.get("style")
    links = [link for node in tree.iter() for key, link in node.items() if key.endswith("href")]
    assert [link for link in links if not link.startswith("#")] == []
    assert tree.find(f".//{SVG}text") is None
    assert b"date" not in path.read_bytes()
    assert path.stat().st_size < 100_000


def test_check_names_what_has_drifted_and_mends_nothing(tmp_path, capsys):
    """Drawn anew, every figure is right; a changed and a missing one are then found."""
    assert figures.main([], tmp_path) == 0
    assert figures.main(["--check"], tmp_path) == 0
    changed, missing, *_ = figures.FIGURES
    (tmp_path / changed).write_text("<svg/>")
    (tmp_path / missing).unlink()
    capsys.readouterr()
    assert figures.main(["--check"], tmp_path) == 1
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [changed, missing]
    assert (tmp_path / changed).read_text() == "<svg/>"
