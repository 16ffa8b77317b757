"""Two kinds of reports: on modules, and of the competition."""

from __future__ import annotations

from typing import Any


def is_competition(report: dict[str, Any]) -> bool:
    """Tell whether `report` is one of the competition."""
    return any(one.get("kind") == "competition" for one in report["assignments"])
