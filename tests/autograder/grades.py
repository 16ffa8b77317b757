"""Grades made by hand, and strategies for any grade there can be."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from hypothesis import strategies as st

from assignments.catalog import load_course
from autograder.otter_light import AutograderConfig, ExceptionTestFile, GradingResults
from autograder.outcome import Check, Grade, ModuleOutcome
from autograder.report import build, refused

KEY = bytes(range(32))
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
DIGEST = "sha256:" + "5" * 64
TITLES = {"01_tensor": "Tensor", "02_activations": "Activations"}


@dataclass
class Course:
    """As much of a course as a report says."""

    title: str = "TinyTorch"


@dataclass
class Handed:
    """A submission as intake would hand it over."""

    root: Path
    name: str = "ada"
    digest: str = "d" * 64
    commit: str | None = "c" * 40
    tree: str | None = "e" * 40
    submitted_at: datetime = NOW
    notes: tuple[str, ...] = ()
    files: dict[str, bytes] = field(default_factory=lambda: {"tensor": b"class Tensor: ...\n"})

    def source(self, module: str) -> bytes | None:
        """Return the bytes of a module's file."""
        return self.files.get(module)


def check(task="Tensor.add", behaviour="adds", suite="hidden", status="passed", worth=10.0, **more):
    """Return one check; it earns all or nothing."""
    module = more.pop("module", "01_tensor")
    return Check(
        id=f"{module}/{task}/{behaviour}",
        module=module,
        task=task,
        behaviour=behaviour,
        suite=suite,
        status=status,
        points=worth if status == "passed" else 0.0,
        max_points=worth,
        duration_s=more.pop("duration_s", 0.005),
        **more,
    )


def module(*checks: Check, id="01_tensor", status=None, **more) -> ModuleOutcome:
    """Return the outcome of a module with these checks."""
    earned, most = sum(c.points for c in checks), sum(c.max_points for c in checks)
    status = status or ("passed" if earned == most else "partial" if earned else "failed")
    more = {"integrated_passed": 0, "integrated_total": len(checks), **more}
    source = f"tinytorch/{id[3:]}.py"
    return ModuleOutcome(id, TITLES.get(id, id), 1, source, status, tuple(checks), **more)


def grade(*modules: ModuleOutcome, seed=7, isolation="full", digest=DIGEST) -> Grade:
    """Return a grade whose results.json comes out of otter's own classes."""
    results = GradingResults([_otter_file(one) for one in modules])
    return Grade(
        modules=modules,
        seed=seed,
        isolation=isolation,
        suite_digest=digest,
        gradescope=results.to_gradescope_dict(AutograderConfig({})),
        wall_s=0.5,
        cpu_s=0.25,
        peak_rss_bytes=50_000_000,
        limits={"wall_s": 10.0, "memory_bytes": 2 << 30},
    )


def _otter_file(module: ModuleOutcome) -> ExceptionTestFile:
    from otter.test_files.abstract_test import TestCase, TestCaseResult  # after otter_light

    file = ExceptionTestFile(module.id, f"{module.id}.py", [], False)
    for one in module.checks:
        name, hidden = f"{one.task}: {one.behaviour}", one.suite == "hidden"
        case = TestCase(name, None, hidden, one.max_points, None, one.hint)
        text = "✅ Test case passed" if one.status == "passed" else f"❌ failed\n{one.message}"
        file.test_cases.append(case)
        file.test_case_results.append(TestCaseResult(case, text, one.status == "passed"))
    return file


def staff_report(outcome: Grade, root: Path, **more) -> dict:
    """Build the staff's report of `outcome`, for a submission in `root`."""
    return build(outcome, Handed(root), submitter_key=KEY, course=Course(), now=NOW, **more)


def refused_report(status, reason="no such luck"):
    """Return a report of a submission that could not be graded."""
    course = load_course()
    return refused(
        reason,
        status,
        course.assignments,
        submitter="ada",
        submitter_key=KEY,
        course=course,
        suite_digest="sha256:" + "5" * 64,
        seed=1,
        isolation="full",
        now=NOW,
    )


texts = st.text(max_size=30)
behaviours = st.text("abc @`|<:#\n", min_size=1, max_size=12)
# No shown check is called as a hidden one is, or begins so: such results are refused.
names = st.sampled_from(["shown", "hidden"]).flatmap(
    lambda suite: st.tuples(st.just(suite), behaviours.map(lambda text: text + suite))
)


def _check(name, **more) -> Check:
    suite, behaviour = name
    return check(suite=suite, behaviour=behaviour, **more)


checks = st.builds(
    _check,
    name=names,
    task=st.sampled_from(["Tensor.add", "Tensor.matmul", "relu"]),
    status=st.sampled_from(["passed", "failed", "error", "timeout"]),
    worth=st.floats(0.5, 40).map(lambda points: round(points, 2)),
    duration_s=st.floats(0, 20),
    hint=st.none() | texts,
    error=st.none() | st.sampled_from(["ValueError", "took longer than 10 s"]) | texts,
    line=st.none() | st.integers(1, 2000),
    message=texts,
    output=texts,
)
modules = st.lists(checks, min_size=1, max_size=6).flatmap(
    lambda some: st.builds(
        module,
        *map(st.just, some),
        status=st.none() | st.sampled_from(["error", "timeout"]),
        note=st.none() | texts,
    )
)
grades = st.lists(modules, min_size=1, max_size=3).flatmap(
    lambda some: st.builds(
        grade,
        *map(st.just, some),
        seed=st.integers(0, 2**32),
        isolation=st.sampled_from(["full", "none", "reduced(tcp, udp)"]),
    )
)


def mixed_report(handed: Handed) -> dict:
    """Return a report with a passed, a shown failed and a hidden failed check."""
    return staff_report(
        grade(
            module(
                check(),
                check(behaviour="shapes", suite="shown", status="failed", message="expected 3"),
                check(
                    "Tensor.sum", "axis", status="error", error="ValueError", line=9, hint="Sum."
                ),
                integrated_passed=1,
            )
        ),
        handed.root,
    )
