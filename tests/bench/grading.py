"""What grading costs, against `otter run` on the same hidden tests: one submission, then a class.

The submission is the reference. Both sides grade the first two modules and are whole commands, from
the start of the process to the reports on disk. `otter run` has the student in its own process and
checks nothing but this one submission; it also has no sandbox. Then our own command alone, on the
whole first tier.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from assignments.catalog import Assignment, load_course
from autograder.sandbox import Limits, Sandbox
from autograder.suite import load_suite, reference_path
from autograder.template import export
from tests.bench.measure import Bar, Run, interleave, median_ratio, run, tree_peak
from tests.otter_run import prepare
from tests.sample_class import Commit, make, students

ROOT = Path(__file__).resolve().parents[2]
ROUNDS, STUDENTS, JOBS, SEED = 7, 60, 2, 20261120
MODULES = load_course().assignments[:2]
UP_TO = {8: 3.0, 13: 5.0, 20: 8.0}  # seconds that the first so many modules may take
AUTOGRADER = [sys.executable, "-m", "autograder"]


def bars() -> list[Bar]:
    """Grade one submission and a class with both."""
    with Sandbox(Limits(), require_full=True):
        pass  # or says now, before minutes of measuring, what this machine lacks
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        export(folder / "template")
        one = make(folder / "template", folder / "one", {"complete": students()["complete"]})[0]
        pairs = interleave(lambda: _ours(one, folder), lambda: _otter(folder), ROUNDS)
        ours = tree_peak(_grade(one, folder / "report"), ROOT, _key(folder))
        peaks = ours, _otter_peak(folder)
        class_s = _class(folder)
        many = [_many(one, folder, *bar) for bar in UP_TO.items()]
        workers_s = _workers()
    return [_single(pairs), _memory(*peaks), _throughput(pairs, class_s, workers_s), *many]


def _grade(submission: Path, out: Path, modules: Sequence[Assignment] = MODULES) -> list[str]:
    command = [*AUTOGRADER, "grade", str(submission), "--out", str(out), "--seed", str(SEED)]
    return command + _chosen(modules)


def _chosen(modules: Sequence[Assignment]) -> list[str]:
    return [f"--module={one.id}" for one in modules]


def _key(folder: Path) -> dict[str, str]:
    return {"AUTOGRADER_KEY_FILE": str(folder / "submitter.key")}  # not the staff's own


def _ours(submission: Path, folder: Path, modules: Sequence[Assignment] = MODULES) -> Run:
    used = run(_grade(submission, folder / "report", modules), ROOT, _key(folder))
    shutil.rmtree(folder / "report")
    return used


def _otter(folder: Path) -> Run:
    place = folder / "otter"
    used = run(_prepare(place), place, {"PYTHONPATH": str(ROOT)})
    if not (place / "results.json").is_file():
        raise RuntimeError("otter run wrote no results.json")
    shutil.rmtree(place)
    return used


def _otter_peak(folder: Path) -> int:
    place = folder / "otter-memory"
    return tree_peak(_prepare(place), place, {"PYTHONPATH": str(ROOT)})


def _prepare(place: Path) -> list[str]:
    place.mkdir()
    return prepare(place, list(MODULES), SEED)


def _class(folder: Path) -> float:
    """Return the seconds that grading a class takes, every student with files of their own."""
    done = students()["complete"]
    work = {f"student-{n:02}": [*done, _own(done, n)] for n in range(STUDENTS)}
    make(folder / "template", folder / "class", work)
    command = [*AUTOGRADER, "class", str(folder / "class"), "--out", str(folder / "grades")]
    command += ["--jobs", str(JOBS), *_chosen(MODULES)]
    return run(command, ROOT, _key(folder)).wall_s


def _own(done: list[Commit], number: int) -> Commit:
    files = {name: content for commit in done for name, content in commit.files.items()}
    signed = {
        name: content + b"# %d\n" % number for name, content in files.items() if name[-2:] == "py"
    }
    return Commit("Sign my files", signed)


def _single(pairs: list[tuple[Run, Run]]) -> Bar:
    walls = [(other.wall_s, own.wall_s) for own, other in pairs]
    details = {
        "rounds": ROUNDS,
        "ours_s": [own for _, own in walls],
        "otter_run_s": [other for other, _ in walls],
        "cpu_ratio": median_ratio([(other.cpu_s, own.cpu_s) for own, other in pairs]),
    }
    note = f"otter run / autograder grade, wall time, median of {ROUNDS} rounds"
    return Bar(
        "one submission", 2.5, median_ratio(walls), at_least=True, note=note, details=details
    )


def _memory(peak: int, otter: int) -> Bar:
    details = {"ours_bytes": peak, "otter_run_bytes": otter}
    note = "grader, fork servers and worker together, pages they share counted in each"
    return Bar("memory", 300, peak / 1e6, unit="MB", note=note, details=details)


def _workers() -> float:
    """Return what a class's fresh workers take by themselves, in seconds.

    They start, lock themselves, load the student's file and end; no check is run in them.
    """
    with ProcessPoolExecutor(JOBS, get_context("spawn")) as pool:
        list(pool.map(_workers_of, [0] * JOBS))  # start the processes
        began = time.perf_counter()
        list(pool.map(_workers_of, [STUDENTS // JOBS] * JOBS))
        return time.perf_counter() - began


def _workers_of(students: int) -> None:
    sources = {f"tinytorch.{one.module}": reference_path(one).read_text() for one in MODULES}
    with Sandbox(Limits()) as box:
        for number, one in enumerate(MODULES):
            name = f"tinytorch.{one.module}"
            with box.branch({}).worker() as worker:
                code = {name: worker.compile(one.source, sources[name].encode())}
            branch = box.branch(dict(list(sources.items())[:number]))
            for _ in range(students * len(load_suite(one).cases)):
                with branch.worker() as worker:
                    worker.load(code)


def _throughput(pairs: list[tuple[Run, Run]], class_s: float, workers_s: float) -> Bar:
    otter_s = median(other.wall_s for _, other in pairs)
    details = {
        "students": STUDENTS,
        "jobs": JOBS,
        "class_s": class_s,
        "otter_run_s": otter_s,
        "workers_s": workers_s,
    }
    limit = STUDENTS * otter_s / workers_s
    note = (
        f"{STUDENTS} × the median otter run (not run so often) / class on {JOBS} cores; the fresh "
        f"workers alone, with no check run in them, would make it {limit:.3g}"
    )
    measured = STUDENTS * otter_s / class_s
    return Bar("a class", 20, measured, at_least=True, note=note, details=details)


def _many(submission: Path, folder: Path, count: int, most: float) -> Bar:
    """Grade the first `count` modules, from process start to reports."""
    modules = load_course().assignments[:count]
    seconds = [_ours(submission, folder, modules).wall_s for _ in range(ROUNDS)]
    checks = sum(len(load_suite(one).cases) for one in modules)
    note = f"{checks} checks, wall time, median of {ROUNDS} rounds"
    details = {"seconds": seconds, "modules": [one.id for one in modules], "checks": checks}
    return Bar(f"{count} modules", most, median(seconds), unit="s", note=note, details=details)
