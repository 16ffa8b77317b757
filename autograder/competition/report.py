"""From a path to competition results: grade-report/1 of the kind competition."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from assignments.catalog import Course, load_course
from assignments.competition.tracks import Track
from autograder.competition import states as trust
from autograder.competition.changes import Change, load_changes
from autograder.competition.identity import absent, heading
from autograder.competition.judging import Competition, Result, compete
from autograder.competition.measuring import Effort
from autograder.errors import GraderError, IsolationError, SubmissionError
from autograder.intake import WITH_ENTRIES, Submission, receive
from autograder.leaderboard.board import build
from autograder.leaderboard.place import student_page
from autograder.ledger import Ledger
from autograder.report.alias import read_alias
from autograder.report.build import artifacts, grader, head, origin, overall_status, total
from autograder.report.files import save
from autograder.report.redact import AUDIENCES, redact
from autograder.report.schema import validate
from autograder.report.submitter import load_key, submitter_id
from autograder.sandbox import Sandbox
from autograder.sandbox.text import one_line

Failure = SubmissionError | GraderError  # their fault, or ours


@dataclass(frozen=True)
class Judged:
    """What became of one submission, and where its files are."""

    done: Competition
    report: dict[str, Any]
    folder: Path


def compete_all(
    sources: Sequence[str],
    tracks: Sequence[Track],
    out: Path,
    *,
    seed: int,
    final: bool,
    open_sandbox: Callable[[], AbstractContextManager[Sandbox]],
    effort: Effort | None = None,
    ledger: Path | None = None,
    states: Path | None = None,
    begin: Callable[[str, Track], None] = lambda source, track: None,
) -> Iterator[tuple[str, Judged | Failure]]:
    """Judge every submission, write its files below `out`; one that fails stops no other.

    Each is yielded when it is done, and `begin` is told of each of its tracks before. Its report is
    appended to the ledger, which is `out/ledger` if none is named: what was measured before, and
    with other tracks, stays and counts. At the end every student of this run gets a page with their
    place among all that are there.
    """
    course, book = load_course(), Ledger(ledger or out / "ledger")
    # A fault in any of these is ours: say so before the measuring.
    decided, key = load_changes(course, states), load_key()
    build(book, decided)  # a state that cannot follow shows only where there are results
    judged: list[Judged] = []
    names: dict[str, str] = {}  # the source of each name
    measure = partial(compete, tracks=tracks, seed=seed, open_sandbox=open_sandbox, effort=effort)
    describe = partial(document, submitter_key=key, course=course, final=final)
    for source, folder in zip(sources, folders(sources, out), strict=True):
        try:
            work = partial(measure, begin=partial(begin, source))
            judged.append(_judged(source, folder, names, work, describe))
            if judged[-1].report["assignments"]:  # else there is no entry: nothing to remember
                book.append(judged[-1].report)
            yield source, judged[-1]
        except (SubmissionError, GraderError) as error:
            yield source, error
        except IsolationError:
            raise  # it is this machine that must be mended, for all of them
        except Exception as error:
            if os.environ.get("AUTOGRADER_TRACEBACK"):
                raise
            yield source, GraderError(f"the grader failed: {type(error).__name__}: {error}")
    _tell(judged, book, decided)


def _judged(
    source: str,
    folder: Path,
    names: dict[str, str],
    measure: Callable[[Submission], Competition],
    describe: Callable[..., dict[str, Any]],
) -> Judged:
    """Measure one submission and write its files; raises SubmissionError, also for a known name."""
    _require_free(folder)
    with receive(source, WITH_ENTRIES) as submission:
        if (other := names.setdefault(submission.name, source)) != source:
            line = f"{source} is called {submission.name!r}, as {other} is"
            raise SubmissionError(f"{line}: a result belongs to a name; rename one")
        done = measure(submission)
        report = describe(done, submission, now=datetime.now(timezone.utc))
    save(files(report), folder)
    return Judged(done, report, folder)


def folders(sources: Sequence[str], out: Path) -> list[Path]:
    """Return where each submission's files go: `out` for one, else below it, each in its own.

    Example: ["a/work", "b/work"] -> [out/work, out/work-2]
    """
    if len(sources) == 1:
        return [out]
    found = [out / "ledger"]  # nobody's
    for source in sources:
        name, number = os.path.basename(os.path.abspath(source)) or "submission", 2
        folder = out / name
        while folder in found:
            folder, number = out / f"{name}-{number}", number + 1
        found.append(folder)
    return found[1:]


def _require_free(folder: Path) -> None:
    """Refuse to write over what is no report of the competition."""
    path = folder / "report.json"
    if path.is_file() and not _is_of_competition(path.read_bytes()):
        cure = "choose another --out, and name the ledger with --ledger"
        raise SubmissionError(f"{path}: a report of modules, or another file, is there; {cure}")


def _is_of_competition(content: bytes) -> bool:
    try:
        kinds = {one["kind"] for one in json.loads(content)["assignments"]}
    except (ValueError, LookupError, TypeError):
        return False
    return "module" not in kinds


def _tell(judged: Sequence[Judged], book: Ledger, decided: Sequence[Change]) -> None:
    board, now = build(book, decided), datetime.now(timezone.utc)
    for one in judged:
        page = student_page(board, one.report["submitter"]["id"], now)
        save({"student.md": page.encode()}, one.folder)


def document(
    done: Competition,
    submission: Submission,
    submitter_key: bytes,
    course: Course,
    now: datetime,
    *,
    final: bool = False,
) -> dict[str, Any]:
    """Return the staff's report of a competition: an assignment and metrics for each track.

    In the final one without an entry is there too: it has no result any more.
    """
    alias, note = read_alias(submission.root)
    notes = [*submission.notes, *([note] if note else [])]
    state = trust.measured(done.isolation, final)
    shown = [one for one in done.results if one.status != "absent" or state == trust.VERIFIED]
    report = {
        **head(course, now, None),
        "assignments": [_assignment(result, state) for result in shown],
        "submitter": {"id": submitter_id(submission.name, submitter_key)},
        "submission": {
            **origin(submission),
            "notes": [one_line(one, 500) for one in notes[:100]],
        },
        "grader": {
            **grader(done.digest, done.seed, done.isolation),
            "limits": asdict(done.limits),
        },
        "status": overall_status([_status(one) for one in shown] or ["failed"], _any(shown)),
        "score": total([(one.points or 0, 100) for one in shown] or [(0, 100)]),
        "tests": [],
        "metrics": [metric for result in shown for metric in _metrics(result)],
        "leaderboard": {"opt_in": alias is not None, "alias": alias},
        "artifacts": artifacts(
            {f"entry/{name}": content for name, content in submission.entry().items()}
        ),
    }
    return validate(report)


def files(report: dict[str, Any]) -> dict[str, bytes]:
    """Return report.json for staff, student.json and public.json, by name."""
    names = dict(zip(AUDIENCES, ("report.json", "student.json", "public.json"), strict=True))
    return {
        name: json.dumps(validate(redact(report, audience)), indent=1, allow_nan=False).encode()
        + b"\n"
        for audience, name in names.items()
    }


def _any(results: Sequence[Result]) -> bool:
    return any(result.points for result in results)


def _status(result: Result) -> str:
    return {"ranked": "passed", "gated": "failed"}.get(result.status, "error")


def _assignment(result: Result, state: str) -> dict[str, Any]:
    if result.status == "absent":
        return absent(result.track, state)
    ranked = result.points is not None
    return {
        **heading(result.track),
        "status": _status(result),
        # Not ranked is not 0: there is no score at all.
        "score": {"points": round(result.points, 5), "max_points": 100} if ranked else None,
        "state": state,
        **({"division": result.division} if result.division else {}),
        **({"medal": result.medal} if result.medal else {}),
        **({"note": one_line(result.reason, 1000)} if result.reason else {}),
    }


def _metrics(result: Result) -> list[dict[str, Any]]:
    track, outcome = result.track, result.outcome
    metric = {"name": track.name, "unit": track.unit, "direction": track.direction}
    if result.status == "absent":
        return []
    if outcome is None:
        return [{**metric, "value": None, "quality": "invalid"}]
    quality = "noisy" if outcome.noisy else "ok"
    interval = {"ci95": list(outcome.ci95)} if outcome.ci95 else {}
    base = {"baseline": outcome.baseline, "quality": quality}
    gates = [
        {
            "name": f"{track.name}.{gate.name}",
            "unit": "",
            "direction": "higher",
            "value": gate.value,
            "gate": {"op": ">=", "threshold": gate.least, "passed": gate.passed},
        }
        for gate in outcome.gates
    ]
    parts = [
        {
            "name": f"{track.name}.{part.name}",
            "unit": part.unit,
            "direction": part.direction,
            "value": part.value,
            **({} if part.baseline is None else {"baseline": part.baseline}),
        }
        for part in outcome.parts
    ]
    return [{**metric, "value": outcome.value, **interval, **base}, *gates, *parts]
