"""The public leaderboard: reports are ranked, and a page, a CSV and a JSON file written."""

from autograder.leaderboard.ranking import Standing, rank
from autograder.leaderboard.site import publish, publish_scores

__all__ = ["Standing", "publish", "publish_scores", "rank"]
