"""Measures entries by the grader's protocol, on public examples: `tito compete` runs it."""
