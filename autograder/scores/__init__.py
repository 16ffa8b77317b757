"""The scores repository: every published report with its signature, appended and never changed.

    reports/<repository id>/<report id>.json       the staff's report, as it was signed
    reports/<repository id>/<report id>.json.sig   who vouches for it
    competition/<repository id>/…                  the same of the competition, apart: no marks

`append` writes into a folder, `share` into a git repository that others write to as well, `read`
returns what counts and says of all the rest why it does not.
"""

from autograder.scores.claims import Rules, read_roster, read_suites
from autograder.scores.folder import ReplayError, ScoresError, append
from autograder.scores.reading import Collected, Refused, read
from autograder.scores.remote import Shared, share, update
from autograder.scores.signers import Signers

__all__ = [
    "Collected",
    "Refused",
    "ReplayError",
    "Rules",
    "ScoresError",
    "Shared",
    "Signers",
    "append",
    "read",
    "read_roster",
    "read_suites",
    "share",
    "update",
]
