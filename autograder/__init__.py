"""The private autograder: from a commit to a report and a leaderboard."""
