"""The command `autograder`, for staff: parse, call, print. The work is in the other modules.

Exit codes: 0 done, whatever the score; 2 the submission or the arguments are at fault;
3 isolation is missing or the grader itself failed.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import fields
from pathlib import Path

import click

from autograder.commands import Commands
from autograder.errors import GraderError


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Grade what students build, in a sandbox, with hidden tests."""


modules_option = click.option(
    "--module", "modules", multiple=True, help="A module, as in 01; may be given again. All."
)
seed_option = click.option("--seed", type=click.IntRange(0), help="Repeat a grading exactly.")
unsandboxed_option = click.option(
    "--unsandboxed", is_flag=True, help="Go on without full isolation: practice, no grade."
)


states_option = click.option(
    "--states",
    type=click.Path(path_type=Path),
    help="What staff decided of results.  [default: competition.toml, if it is there]",
)


def _limits(values: tuple[str, ...]):
    """Return the sandbox's limits with those that were given, as in ("wall_s=20",)."""
    from autograder.sandbox import Limits

    known = {field.name: type(field.default) for field in fields(Limits)}
    given = {}
    for value in values:
        name, _, number = value.partition("=")
        try:
            given[name] = known[name](number)
        except (KeyError, ValueError):
            names = ", ".join(known)
            raise click.BadParameter(f"expected NAME=NUMBER of {names}, got {value!r}") from None
    try:
        return Limits(**given)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def limits_option(*defaults: str):
    """Return the option --limit of a command whose workers have other `defaults`."""
    return click.option(
        "--limit",
        "limits",
        multiple=True,
        callback=lambda ctx, param, values: _limits((*defaults, *values)),
        help="A bound on a worker, as in wall_s=20 or memory_bytes=4294967296; may be given again.",
    )


@main.command()
@click.argument("submission")
@modules_option
@click.option("--out", type=click.Path(path_type=Path), default=Path("report"), show_default=True)
@seed_option
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@limits_option()
@unsandboxed_option
def grade(submission, modules, out, seed, form, limits, unsandboxed):
    """Grade SUBMISSION: a folder, a git repository (PATH or PATH@COMMIT), a .zip or .tar.gz.

    Writes report.json (staff), student.json, public.json, student.md and results.json to OUT.
    """
    from autograder.sandbox import Sandbox

    sandbox = Sandbox(limits, require_full=not unsandboxed).start()  # while the rest is imported

    from autograder.single import grade_one
    from autograder.table import print_report

    seed = secrets.randbits(32) if seed is None else seed
    report = grade_one(submission, modules, out, seed=seed, sandbox=sandbox)
    if form == "json":
        click.echo(json.dumps(report, indent=2))
    else:
        print_report(report, out)


@main.command()
@click.argument("submission")
@click.argument("number", type=int)
@click.option("--out", type=click.Path(path_type=Path), default=Path("report"), show_default=True)
@seed_option
@limits_option("wall_s=60", "cpu_s=120")
@unsandboxed_option
def milestone(submission, number, out, seed, limits, unsandboxed):
    """Train milestone NUMBER, or that of a year, on SUBMISSION's files and count its answers.

    Trains three times and writes milestone.json to OUT. The bounds are those of one training.
    """
    from autograder.milestone_report import grade_one, print_grade
    from autograder.sandbox import Sandbox

    seed = secrets.randbits(32) if seed is None else seed
    sandbox = Sandbox(limits, require_full=not unsandboxed)
    grade, path = grade_one(submission, number, out, seed=seed, sandbox=sandbox)
    print_grade(grade, path)


@main.command()
@click.argument("submissions", nargs=-1, required=True)
@click.option(
    "--track", "letters", multiple=True, help="A to E or a name; may be given again. All."
)
@click.option("--out", type=click.Path(path_type=Path), default=Path("report"), show_default=True)
@seed_option
@click.option("--final", is_flag=True, help="The last run, all together: results are verified.")
@click.option(
    "--ledger", type=click.Path(path_type=Path), help="Append here.  [default: OUT/ledger]"
)
@states_option
@unsandboxed_option
def compete(submissions, letters, out, seed, final, unsandboxed, **files):
    """Measure the competition entries of SUBMISSIONS against the baseline, on one machine.

    Writes report.json (staff), student.json, public.json and student.md, which tells a student's
    place, to OUT; of several submissions to a folder each below it. The ledger remembers every
    result: `autograder leaderboard OUT/ledger` ranks them.
    """
    # Before NumPy is there: what checks the answers shares a core with what is measured.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

    from functools import partial

    from assignments.competition import tracks
    from autograder.competition.judging import LIMITS
    from autograder.competition.report import compete_all
    from autograder.competition.table import print_results
    from autograder.sandbox import Sandbox

    asked = {tracks.find(letter).name for letter in letters}
    judge = partial(
        compete_all,
        submissions,
        [one for one in tracks.tracks().values() if not asked or one.name in asked],
        out,
        seed=secrets.randbits(128) if seed is None else seed,
        final=final,
        open_sandbox=lambda: Sandbox(LIMITS, require_full=not unsandboxed),
        **files,
    )
    print_results(judge, submissions, out)


@main.command("class")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, show_default=True)
@modules_option
@seed_option
@limits_option()
@unsandboxed_option
def class_(folder, out, jobs, modules, seed, limits, unsandboxed):
    """Grade every repository below FOLDER; started again, it grades only what is missing."""
    from autograder.cohort import grade_class

    summary = grade_class(
        folder,
        out,
        jobs=jobs,
        modules=modules,
        seed=seed,
        limits=limits,
        unsandboxed=unsandboxed,
    )
    ungradable = summary.statuses["ungradable"]
    if ungradable:
        raise GraderError(f"{ungradable} could not be graded, by our fault: see why, run it again")


overrides_option = click.option(
    "--overrides",
    type=click.Path(path_type=Path),
    help="What staff decided for single students.  [default: overrides.toml, if it is there]",
)


@main.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--signers", type=click.Path(path_type=Path), help="Whose signed reports count.")
@click.option("--roster", type=click.Path(path_type=Path), help="CSV with a column repository_id.")
@click.option("--suites", type=click.Path(path_type=Path), help="Earlier suites that still count.")
@click.option("--term", help="Reports of another term do not count.")
@overrides_option
@states_option
@click.option("--public", is_flag=True, help="Leave out of leaderboard.json what is for staff.")
def leaderboard(source, out, signers, roster, suites, term, public, **files):
    """Rank the reports in SOURCE and write leaderboard.json, leaderboard.csv and index.html.

    SOURCE is the ledger of this machine; or, with --signers, a clone of the scores repository:
    then every report that is refused stands in leaderboard.json with its reason. Where there are
    reports of the competition, competition.json, .csv and .html are written as well.
    """
    from autograder.leaderboard import publish, publish_scores

    if signers is None:
        _tell_pages(publish(source, out, **files))
        return

    from autograder.leaderboard.collect import collect

    collected = collect(source, signers, roster=roster, suites=suites, term=term)
    _tell_refused(collected.refused)
    _tell_pages(publish_scores(collected, out, public=public, **files))


def _tell_refused(refused) -> None:
    for one in refused:
        click.echo(f"autograder: refused {one.path} ({one.kind}): {one.reason}", err=True)


def _tell_pages(board: Path) -> None:
    for page in (board, board.with_name("competition.html")):
        if page.is_file():
            click.echo(page)


scores_option = click.option(
    "--scores", required=True, help="The scores repository: an address that git can clone."
)
signers_option = click.option(
    "--signers",
    type=click.Path(path_type=Path),
    required=True,
    help="Whose signed reports count.",
)


@main.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("plan"), show_default=True)
@scores_option
@signers_option
@click.option("--image", required=True, help="The grader's image, NAME@sha256:DIGEST.")
@click.option("--repository", "only", default="", help="A numeric id: plan this one alone.")
@click.option("--module", default="", help="A module, as in 01: grade this one alone.")
@click.option("--prefix", default="", help="How the names of students' repositories begin.")
@click.option("--force", is_flag=True, help="Also grade what is published already.")
@click.option("--hints", type=click.Path(path_type=Path), help="Keep GitHub's answers here.")
@click.option("--competition", "race", is_flag=True, help="Measure entries; grade no module.")
@click.option("--final", is_flag=True, help="Whoever is ranked there, again and all together.")
@overrides_option
def plan(out, scores, image, only, module, prefix, **more):
    """Find pushes that are not graded yet, fetch them, and write shards of submissions to OUT.

    Reads GH_TOKEN, GITHUB_API_URL and GITHUB_REPOSITORY_OWNER, as in grade.yml.
    """
    from autograder.github.runs import plan_run, quoted

    if more["final"] and not more["race"] or module and more["race"]:
        raise click.UsageError("--final goes with --competition, and --module without it")
    done = plan_run(out, scores, image, only=only, module=module, prefix=prefix, **more)
    for line in quoted(done.lines):
        click.echo(line)
    click.echo(f"{len(done.jobs)} to grade in {len(done.shards)} shards")


@main.command()
@click.argument("raw", type=click.Path(path_type=Path))
@click.option("--plan", "plan_file", type=click.Path(path_type=Path), default="plan/plan.json")
@scores_option
@signers_option
@click.option("--key", type=click.Path(path_type=Path), required=True, help="Signs the reports.")
@overrides_option
@click.option("--notices", is_flag=True, help="Print the notices of old GitHub Classroom, too.")
@click.option("--term", default="", help="Of the course, as in 2026-fall; the leaderboard asks.")
def publish(raw, plan_file, scores, key, **options):
    """Hold the raw reports below RAW against the plan, sign and append them, tell the students.

    Reads GH_TOKEN, GITHUB_API_URL, GITHUB_APP_ID and AUTOGRADER_KEY_FILE, as in grade.yml.
    """
    from autograder.github.runs import publish_run, quoted

    done = publish_run(raw, plan_file, scores, key, **options)
    for line in quoted(done):
        click.echo(line)


@main.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path("roster.csv"))
@click.option("--organisation", help="Ask GitHub for the repository of each student there.")
@click.option("--prefix", default="", help="How the names of students' repositories begin.")
def roster(source, out, organisation, prefix):
    """Make the roster of SOURCE: a roster, or what old Classroom or Classroom 50 left.

    With --organisation it reads GH_TOKEN and GITHUB_API_URL, as in grade.yml.
    """
    from autograder.report.files import replace
    from autograder.roster import read, text

    students, missing = read(source), []
    if organisation:
        from autograder.github.runs import make_client
        from autograder.github.students import located

        students, missing = located(students, make_client(), organisation, prefix)
    replace(out, text(students).encode())
    for line in missing:
        click.echo(f"autograder: {line}", err=True)
    known = sum(bool(one.repository_id) for one in students)
    click.echo(f"{out}: {known} of {len(students)} students with a repository")


@main.command()
@click.argument("form", type=click.Choice(["canvas", "moodle", "classroom50", "junit"]))
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--roster", type=click.Path(path_type=Path), help="As `autograder roster` makes it.")
@click.option("--signers", type=click.Path(path_type=Path), help="Whose signed reports count.")
@click.option("--gradebook", type=click.Path(exists=True, path_type=Path), help="Canvas's export.")
@click.option("--term", help="Reports of another term do not count.")
@overrides_option
@click.option("--classroom", default="", help="Of Classroom 50: its short name.")
@click.option("--assignment", default="tinytorch", help="Of Classroom 50: its short name.")
def export(form, source, out, classroom, assignment, **files):
    """Write the marks in SOURCE for a gradebook, or one report.json for a CI (junit).

    SOURCE is what `autograder class` wrote or, with --signers, a clone of the scores repository.
    """
    from autograder.exports import export as write

    click.echo(write(form, source, out, **files, names=(classroom, assignment)))


@main.command()
@scores_option
@signers_option
@click.option("--suites", type=click.Path(path_type=Path), help="Earlier suites that still count.")
@click.option("--term", default="", help="Reports of another term do not count.")
@overrides_option
@click.option("--raw", type=click.Path(path_type=Path), help="Also what came back of --plan.")
@click.option("--plan", "plan_file", type=click.Path(path_type=Path), default="plan/plan.json")
@click.option(
    "--apply", "key", type=click.Path(path_type=Path), help="Publish, signed by this key."
)
def regrade(raw, plan_file, key, **sources):
    """Show who goes up and who down by today's course.toml and overrides.toml; change nothing.

    With --raw and --plan also by a new grading, which `autograder publish` would publish. With
    --apply KEY publish reports that supersede those in which the policy changes something.
    """
    from autograder.github.regrade import Sources, apply
    from autograder.github.regrade import regrade as compare
    from autograder.table import print_changes

    where = Sources(**sources)
    found = compare(where, raw, plan_file)
    _tell_refused(found.refused)
    print_changes(found.changes())
    if key is not None:
        shared = apply(found, where, key)
        click.echo(f"{shared.appended} reports published; students are told with the next sweep")


@main.command()
def doctor():
    """Say what isolation this machine can prove, which versions, what is missing."""
    from autograder.doctor import examine

    raise click.exceptions.Exit(0 if examine() else 3)


@main.command()
@click.argument("out", type=click.Path(path_type=Path))
def template(out):
    """Export the student repository to OUT: an allow-list of files, one commit, no history."""
    from autograder.template import export

    export(out)
    click.echo(out)


@main.command()
@click.option("--check", is_flag=True, help="Write nothing; fail when a starter has drifted.")
def starters(check):
    """Generate the starters: the reference with the body of every listed function removed."""
    from autograder import starters as generator

    if not check:
        for path in generator.write():
            click.echo(path)
        return
    drifted = generator.check()
    if drifted:
        raise GraderError(f"{', '.join(map(str, drifted))} drifted: run `make starters`")


@main.command()
@modules_option
def prove(modules):
    """Prove that tests can fail: blank every function, run every mutant, grade nothing."""
    from autograder.proofs import prove as prove_modules

    failures = prove_modules(modules)
    for failure in failures:
        click.echo(failure, err=True)
    if failures:
        raise GraderError(f"{len(failures)} proofs failed")


if __name__ == "__main__":
    main()
