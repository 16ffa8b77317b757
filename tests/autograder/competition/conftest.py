import pytest

from autograder.sandbox import Sandbox
from tests.autograder.competition.arena import LIMITS


@pytest.fixture(scope="module")
def box():
    """A sandbox that stays open."""
    with Sandbox(LIMITS) as opened:
        yield opened
