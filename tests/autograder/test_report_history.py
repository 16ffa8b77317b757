"""Several reports on one commit: which results count, and the one page that they make."""

from __future__ import annotations

import copy

import pytest

from autograder.report import redact, student_markdown, validate
from autograder.report.history import counting, whole
from tests.autograder.grades import check, grade, module, staff_report

SECOND = "02_activations"


@pytest.fixture
def reports(tmp_path):
    """Return a report on two modules, and a regrade of the first alone."""
    one = module(check(worth=10.0))
    two = module(check("relu", worth=20.0, module=SECOND), id=SECOND)
    both = staff_report(grade(one, two), tmp_path)
    alone = staff_report(grade(module(check(worth=10.0, status="failed"))), tmp_path)
    alone["submission"]["attempt"] = 2
    return [both, alone]


def points(results) -> list[tuple[str, float]]:
    """Return which modules count how much."""
    return sorted((one["id"], one["score"]["points"]) for _, one in results)


def test_of_one_commit_the_last_grading_of_each_module_counts(reports):
    """In whichever order the reports come, and whether it says what it supersedes or not."""
    for some in (reports, reports[::-1]):
        assert points(counting(some)) == [("01_tensor", 0), (SECOND, 20)]


def test_what_was_ruled_anew_does_not_bring_back_what_was_graded_anew(reports):
    """A report that supersedes the first by policy alone is still of the first attempt."""
    ruled = copy.deepcopy(reports[0])
    ruled |= {"report_id": "7" + "Z" * 25, "supersedes": reports[0]["report_id"]}
    results = counting([*reports, ruled])
    assert points(results) == [("01_tensor", 0), (SECOND, 20)]
    assert {id(report) for report, one in results if one["id"] == SECOND} == {id(ruled)}


def test_submissions_without_a_commit_are_each_their_own(reports):
    """Folders have none, and may be of different work."""
    for report in reports:
        report["submission"]["commit"] = None
    assert len(counting(reports)) == 3


def test_the_page_of_a_commit_has_the_modules_of_all_its_reports(reports):
    """Each as it was graded last; the sum is of what is shown."""
    page = validate(whole(reports))
    assert page["report_id"] == reports[1]["report_id"]
    assert (page["status"], page["score"]["points"], page["score"]["max_points"]) == (
        *("partial", 20),
        30,
    )
    assert [test["module"] for test in page["tests"]] == ["01_tensor", SECOND]
    text = student_markdown(redact(page, "student"))
    assert "## 01 Tensor: 0 / 10" in text and "## 02 Activations: 20 / 20" in text


def test_one_report_is_its_own_page(reports):
    """Nothing is added to it."""
    assert whole(reports[:1]) is reports[0]
