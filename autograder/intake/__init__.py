"""Intake: a submission (folder, git commit, archive) becomes a safe private copy.

Everything that comes in is hostile until read: names lead out, sizes lie, links point at the
hidden tests, a repository's configuration runs commands. So nothing is followed, unpacked or
checked out. The whole tree is counted as it declares itself; of its content only the regular files
`tinytorch/*.py` are read, and `leaderboard.toml`, which is all that grading needs; for the
competition those in `entry/`, too.
"""

from autograder.intake.limits import WITH_ENTRIES, Limits
from autograder.intake.submission import Submission, receive

__all__ = ["WITH_ENTRIES", "Limits", "Submission", "receive"]
