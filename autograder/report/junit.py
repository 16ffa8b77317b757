"""JUnit's XML, which every CI shows: a suite for each module, a case for each check.

Made of the student's report: of a hidden check it says task, hint and line, never its name.
"""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from autograder.report.redact import redact
from autograder.sandbox.text import clean

_TAGS = {"failed": "failure", "error": "error", "timeout": "error"}


def junit(report: dict[str, Any]) -> bytes:
    """Return the XML of a report for staff or student."""
    view = redact(report, "student") if report["audience"] == "staff" else report
    root = Element("testsuites", name=view["course"]["title"])
    for module in view["assignments"]:
        tests = [one for one in view["tests"] if one["module"] == module["id"]]
        count = {
            "tests": len(tests),
            "failures": sum(one["status"] == "failed" for one in tests),
            "errors": sum(one["status"] in ("error", "timeout") for one in tests),
        }
        numbers = {key: str(value) for key, value in count.items()}
        suite = SubElement(root, "testsuite", name=module["id"], **numbers)
        for number, test in enumerate(tests, 1):
            _case(suite, module["id"], number, test)
    indent(root)
    return tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _case(suite: Element, module: str, number: int, test: dict[str, Any]) -> None:
    name = f"{test['task']}: {test.get('behaviour') or f'hidden check {number}'}"
    case = SubElement(suite, "testcase", classname=module, name=_plain(name))
    if "location" in test:
        case.set("file", test["location"]["path"])
        case.set("line", str(test["location"]["line"]))
    if test["status"] != "passed":
        said = ". ".join(filter(None, (test.get("error"), test.get("hint"))))
        fault = SubElement(case, _TAGS[test["status"]], message=_plain(said or test["status"]))
        fault.text = _plain(test.get("message", ""))


def _plain(text: str) -> str:
    """Return text that XML can hold: no control characters."""
    return clean(text, len(text) + 100)
