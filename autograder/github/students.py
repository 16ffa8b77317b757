"""Students find their repositories: a roster's lines get the numeric id, by the name it began with.

The name is looked at once, here; from then on the number is who it is.
"""

from __future__ import annotations

from dataclasses import replace

from autograder.github.client import Client
from autograder.roster import Student


def located(
    students: list[Student], client: Client, organisation: str, prefix: str
) -> tuple[list[Student], list[str]]:
    """Return the students with their repositories, and a line for each that has none yet.

    A student's repository is the one on their line, or `<prefix><username>` in `organisation`.
    """
    listed = {one.name.casefold(): one for one in client.repositories(organisation) if one.listed}
    found, missing = [], []
    for one in students:
        names = [one.repository]
        if one.github_username:
            names.append(f"{organisation}/{prefix}{one.github_username}")
        there = next((listed[name.casefold()] for name in names if name.casefold() in listed), None)
        if there is None and not one.repository_id:
            missing.append(
                f"{one.identifier}: no repository {names[-1] or 'and no GitHub account'}"
            )
        if there is not None and not one.repository_id:
            one = replace(one, repository=there.name, repository_id=str(there.id))
        found.append(one)
    return found, missing
