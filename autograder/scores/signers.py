"""Who is believed: a report counts that one of the allowed signers signed, in the place it names.

To ask costs a process of some 5 ms, so an answer is kept for as long as this one runs. It is kept
nowhere else: whoever could write there would be believed.
"""

from __future__ import annotations

import os
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from autograder.errors import SubmissionError
from autograder.intake.folder import open_folder, read_file
from autograder.sandbox.text import one_line
from autograder.scores.document import REPORT_BYTES, Report, created, parse, place
from autograder.signatures import REVOKED, SIGNATURE_BYTES, SignatureError, principals, verify

THREADS = 4  # each waits for an ssh-keygen


def vouched(content: bytes, signature: bytes, allowed: Path) -> Report:
    """Return the report that someone in the file `allowed` signed when it says that it was made.

    SignatureError or ValueError says why nobody did.
    """
    report = parse(content)
    verify(content, signature, allowed, created(report))
    return report


class Signers:
    """The allowed signers, and the reports that were met and are none of theirs."""

    def __init__(self, allowed: Path):
        """Use the file `allowed`; GraderError where it cannot be used: no report is at fault."""
        self.allowed = Path(allowed).absolute()
        principals(self.allowed)
        self._answers: dict[bytes, str] = {}  # why a content and its signature do not count, or ""
        self._refused: dict[str, dict[str, str]] = {}  # by folder and name

    @cached_property
    def digest(self) -> str:
        """Return what changes whenever others are believed."""
        files = (self.allowed, self.allowed.with_name(REVOKED))
        return sha256(
            b"".join(_mark(one.read_bytes()) for one in files if one.exists())
        ).hexdigest()

    def report(self, path: Path) -> Report | None:
        """Return the report at `path` in a clone; None where it is not theirs: `lines` say so."""
        try:
            return self._read(path)
        except (SignatureError, SubmissionError, ValueError) as error:
            reason = str(error)
        except OSError as error:
            reason = f"it cannot be read: {error.strerror}"
        except (KeyError, TypeError, AttributeError):
            reason = "it is signed, and no report"
        self._refused.setdefault("/".join(path.parts[-3:-1]), {})[path.name] = reason
        return None

    def require(self, content: bytes, signature: bytes) -> Report:
        """Return the signed report; SignatureError or ValueError says why it does not count."""
        mark = _mark(content) + _mark(signature)
        if mark not in self._answers:
            try:
                report, self._answers[mark] = vouched(content, signature, self.allowed), ""
                return report
            except (SignatureError, ValueError) as error:
                self._answers[mark] = str(error)
        if self._answers[mark]:
            raise SignatureError(self._answers[mark])
        return parse(content)

    def lines(self) -> list[str]:
        """Say of each repository which of its reports do not count, and what to do."""
        return [_line(folder, found) for folder, found in sorted(self._refused.items())]

    def _read(self, path: Path) -> Report:
        proof = f"{path.name}.sig"
        if not os.path.lexists(path.with_name(proof)):
            raise SignatureError("it has no signature")
        with open_folder(str(path.parent)) as folder:
            content = read_file(path.name, folder, REPORT_BYTES)
            signature = read_file(proof, folder, SIGNATURE_BYTES)
        report = self.require(content, signature)
        if place(report) != "/".join(path.parts[-3:]):
            raise SignatureError(f"it is a copy of {place(report)}")
        return report


def _mark(content: bytes) -> bytes:
    return sha256(content).digest()


def _line(folder: str, found: dict[str, str]) -> str:
    name, reason = min(found.items())
    more = f"; and {len(found) - 1} more" if len(found) > 1 else ""
    many, it = ("reports count", "them") if more else ("report counts", "it")
    cure = f"if staff published {it}, mend the allowed signers, else remove {it}"
    return one_line(
        f"{folder}: {len(found)} {many} as not there ({name}: {reason}{more}); {cure}", 600
    )
