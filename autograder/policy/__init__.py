"""What a push is worth, and when its feedback is due: pure functions of recorded facts.

The facts are when the server saw which content of a module, the points that it earned, the term in
course.toml, and what staff wrote into overrides.toml. Nothing else decides: not the order in which
reports arrive, not how often they are made, not what any other student did. Only late days join a
student's own modules: they are one purse, spent in the order of the due dates.
"""

from autograder.policy.decision import Decision
from autograder.policy.overrides import OVERRIDES, Who, read_overrides
from autograder.policy.rules import Policy, load_policy
from autograder.policy.standing import Attempt, Outcome, standing

__all__ = [
    "OVERRIDES",
    "Attempt",
    "Decision",
    "Outcome",
    "Policy",
    "Who",
    "load_policy",
    "read_overrides",
    "standing",
]
