"""The errors a user of the autograder can meet; each prints itself as one clear line.

AutograderError
├── SubmissionError   the submission cannot be graded (exit 2): their side
├── IsolationError    a guarantee of the sandbox is missing (exit 3): our side
└── GraderError       the grader itself is broken (exit 3): our side
"""

from __future__ import annotations


class AutograderError(Exception):
    """Base of all errors that end a command with one line and an exit code."""

    exit_code = 3


class SubmissionError(AutograderError):
    """What was handed in cannot be graded; says what was expected, what came, what to do."""

    exit_code = 2


class IsolationError(AutograderError):
    """This machine cannot give a guarantee that grading needs; names the guarantee."""


class GraderError(AutograderError):
    """The grader's own files are wrong: a suite, a fixture, a configuration."""
