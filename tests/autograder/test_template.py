"""What students receive: everything they need, and nothing that is ours to keep."""

from __future__ import annotations

import ast
import os
import re
import subprocess
from pathlib import Path

import pytest

from assignments.catalog import load_course, tomllib
from autograder import starters, template
from autograder.errors import GraderError
from autograder.template import ExportError, export
from tests.student import ROOT, StudentRepository, environment

ALLOWED = r"""
LICENSE  README.md  pyproject.toml  \.gitattributes  \.gitignore
\.github/workflows/visible-tests\.yml
assignments/(__init__|catalog|cli|conftest|display|functions|practice|repository|submit|term)\.py
assignments/course\.toml  assignments/compete\.py
assignments/competition/(__init__|answers|draws|given|language|pace|rules|tracks|weight)\.py
assignments/competition/(tracks\.toml|README\.md)
assignments/competition/(baseline|practice)/\w+\.py
assignments/competition/given/(digits\.npz|language\.npz|text\.txt)
assignments/\d\d_(\w+)/(README\.md|assignment\.toml|\1\.py|test_\1\.py|figures/\w+\.(svg|png))
milestones/README\.md  milestones/0[1-6]_\d{4}_\w+\.py
milestones/data/(README\.md|(digits|iris)\.npz)
milestones/(__init__|datasets|deployment|download|problem|stage)\.py
tinytorch/(__init__\.py|README\.md)
""".split()


@pytest.fixture
def exported(tmp_path):
    out = tmp_path / "student"
    export(out)
    return out


def git(folder, *arguments):
    """Run git in `folder` and return what it printed."""
    run = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=True)
    return run.stdout.decode().strip()


def files(folder: Path) -> dict[str, bytes]:
    """Return every file below `folder` but git's own."""
    paths = [path for path in folder.rglob("*") if path.is_file() or path.is_symlink()]
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    return {name: path.read_bytes() for name, path in names.items() if name[:5] != ".git/"}


def unlisted(folder: Path) -> list[str]:
    """Return the files that nobody allowed."""
    return [name for name in files(folder) if not any(re.fullmatch(p, name) for p in ALLOWED)]


def bodies(source: str) -> dict[str, str]:
    """Map each function, by its dotted name, to its body without docstring as Python sees it."""
    found, waiting = {}, [("", ast.parse(source))]
    while waiting:
        name, parent = waiting.pop()
        if isinstance(parent, (ast.FunctionDef, ast.AsyncFunctionDef)):
            documented = ast.get_docstring(parent) is not None
            found[name] = "".join(ast.dump(line) for line in parent.body[documented:])
        for node in ast.iter_child_nodes(parent):
            named = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
            waiting.append((f"{name}.{node.name}".lstrip(".") if named else name, node))
    return found


def solutions() -> dict[str, str]:
    """Map the body of every function that students write to its name."""
    found = {}
    for assignment in load_course().assignments:
        text = starters.reference(assignment).read_text(encoding="utf-8")
        theirs = assignment.functions
        found |= {body: name for name, body in bodies(text).items() if name in theirs}
    return found


def solved(folder: Path) -> list[str]:
    """Return the functions in `folder` whose body is the reference's."""
    answers = solutions()
    return [
        f"{name}: {answers[body]}"
        for name, data in files(folder).items()
        if name.endswith(".py")
        for body in bodies(data.decode()).values()
        if body in answers
    ]


def secrets() -> list[str]:
    """Return what hidden files say and nothing else does: the names of checks, whole lines."""
    hidden = [p for p in (ROOT / "autograder" / "hidden").rglob("*.py")]
    lines = {line.strip() for path in hidden for line in path.read_text("utf-8").splitlines()}
    names = {name for line in lines for name in re.findall(r'name="([^"]+: [^"]+)"', line)}
    return [*names, *(line for line in lines if len(line) > 60)]


def told(folder: Path) -> list[str]:
    """Return the secrets that are somewhere in `folder`, git's objects included."""
    everything = "\n".join(data.decode(errors="replace") for data in files(folder).values())
    everything += git(folder, "log", "-p", "--all")
    return [secret for secret in secrets() if secret in everything]


def test_every_file_is_one_that_was_allowed(exported):
    """A file that is not listed stays here."""
    assert unlisted(exported) == []


def test_no_solution_is_in_it(exported):
    """No function of the student repository has the body of one that students write."""
    assert solutions()
    assert solved(exported) == []


def test_no_hidden_check_is_in_it(exported):
    """No name and no line of a hidden check is in a file or in the history."""
    assert len(secrets()) > 20
    assert told(exported) == []


@pytest.mark.parametrize("leak", ["autograder/suite.py", "tests/student.py", "tinytorch/tensor.py"])
def test_the_walk_sees_a_file_that_slipped_in(exported, leak):
    """The three searches above find what they look for: an unlisted file."""
    (exported / leak).parent.mkdir(parents=True, exist_ok=True)
    (exported / leak).touch()
    assert unlisted(exported) == [leak]


def test_the_walk_sees_a_solution_under_another_name(exported):
    """The three searches above find what they look for: a reference body."""
    text = (ROOT / "tinytorch" / "activations.py").read_text(encoding="utf-8")
    leaked = exported / "assignments" / "practice.py"
    leaked.write_text(text.replace("def relu(", "def rectify("), encoding="utf-8")
    assert "assignments/practice.py: relu" in solved(exported)


def test_the_walk_sees_a_hidden_check(exported):
    """The three searches above find what they look for: a line of a hidden test."""
    (exported / "README.md").write_text(secrets()[-1], encoding="utf-8")
    assert told(exported)


def test_every_module_has_its_files_and_no_other(exported):
    """Lesson, tasks, starter, tests, figures: an exercise folder has the same names everywhere."""
    for assignment in load_course().assignments:
        home = exported / "assignments" / assignment.id
        names = {path.name for path in home.iterdir()} - {"figures"}
        starter, tests = assignment.starter.name, assignment.visible_tests.name
        assert names == {"README.md", "assignment.toml", starter, tests}
        drawn = {path.name for path in assignment.folder.glob("figures/*.svg")}
        assert {path.name for path in home.glob("figures/*")} == drawn
        assert set(re.findall(r"\(figures/([^)]+)\)", (home / "README.md").read_text())) == drawn


def test_it_is_one_commit_of_the_course_without_history(exported):
    """One commit on main by nobody in particular, everything in it, no remote, no other branch."""
    assert git(exported, "log", "--all", "--format=%an <%ae> %cn %s") == (
        "course <course@example.org> course TinyTorch: the course files"
    )
    assert git(exported, "for-each-ref", "--format=%(refname)") == "refs/heads/main"
    assert git(exported, "status", "--porcelain", "--ignored") == git(exported, "remote") == ""
    assert set(git(exported, "ls-files").splitlines()) == set(files(exported))
    assert not [*(exported / ".git").glob("hooks/*")]


def test_the_same_course_makes_the_same_commit(exported, tmp_path, monkeypatch):
    """Whoever exports, wherever, with whatever settings of git."""
    settings = "[user]\nname = me\n[commit]\ngpgsign = true\n[core]\nautocrlf = true\n"
    (tmp_path / ".gitconfig").write_text(settings, encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "me")
    monkeypatch.setenv("GIT_DIR", str(ROOT / ".git"))
    old = os.umask(0o077)
    try:
        export(tmp_path / "again")
    finally:
        os.umask(old)
    monkeypatch.delenv("GIT_DIR")
    assert git(tmp_path / "again", "rev-parse", "HEAD") == git(exported, "rev-parse", "HEAD")


def test_it_requires_what_this_repository_pins(exported):
    """Students run the versions that the course was tested with, to the digit."""
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    theirs = tomllib.loads((exported / "pyproject.toml").read_text(encoding="utf-8"))
    project = ours["project"]
    assert theirs["project"]["dependencies"] == (
        project["dependencies"] + project["optional-dependencies"]["student"]
    )
    assert theirs["project"]["requires-python"] == project["requires-python"]
    assert theirs["build-system"] == ours["build-system"]
    assert theirs["project"]["optional-dependencies"] == {
        "milestones": project["optional-dependencies"]["milestones"]
    }


@pytest.mark.parametrize("there", ["a folder with a file", "a file"])
def test_nothing_is_written_over(tmp_path, there):
    """A place that is taken is refused before anything happens to it."""
    out = tmp_path / "out"
    if there == "a file":
        out.write_text("mine")
    else:
        out.mkdir()
        (out / "mine").write_text("mine")
    with pytest.raises(ExportError, match="out is not empty: name a new folder") as refusal:
        export(out)
    assert refusal.value.exit_code == 2
    assert [path.name for path in tmp_path.rglob("*")] in (["out"], ["out", "mine"])


def test_a_starter_that_has_drifted_is_not_handed_out(tmp_path, monkeypatch):
    """What students get is what the reference makes."""
    monkeypatch.setattr(starters, "check", lambda course: [Path("tensor.py")])
    with pytest.raises(GraderError, match="starters tensor.py have drifted: run `make starters`"):
        export(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_course_file_that_is_missing_is_named(tmp_path, monkeypatch):
    """No half of a course is handed out."""
    monkeypatch.setattr(template, "COURSE_FILES", ("LICENSE", "assignments/none.py"))
    with pytest.raises(GraderError, match="needs assignments/none.py: write it first"):
        export(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_it_installs_and_its_tito_works(tmp_path):
    """`pip install -e .` in a fresh environment, then start, edit, test: as the README says."""
    student = StudentRepository(tmp_path / "my framework")
    student.finish("tensor", "activations")
    bin_ = environment(tmp_path / "venv")
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}

    def run(*command):
        return subprocess.run(
            command, cwd=student.root, env=env, capture_output=True, encoding="utf-8"
        )

    installed = run(bin_ / "python", "-m", "pip", "install", "--quiet", "--editable", ".")
    assert installed.returncode == 0, installed.stderr
    assert run(bin_ / "tito", "test", "02").returncode == 0
    where = run(bin_ / "python", "-c", "import tinytorch; print(tinytorch.Tensor.__module__)")
    assert where.stdout == "tinytorch.tensor\n", where.stderr
    student.file("activations").unlink()
    assert "is ready" in run(bin_ / "tito", "start", "02").stdout
    assert run(bin_ / "tito", "test", "02").returncode == 1
    assert git(student.root, "status", "--porcelain").splitlines() == [
        "?? tinytorch/activations.py",
        "?? tinytorch/tensor.py",
    ]
