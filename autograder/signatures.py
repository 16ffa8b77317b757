"""Signatures of reports: detached ed25519 over the raw bytes, made and checked by plain OpenSSH.

Who may sign stands in a file in OpenSSH's format ALLOWED SIGNERS (`man ssh-keygen`), one key on a
line, days in UTC:

    publish namespaces="tinytorch-report",valid-before="20270301" ssh-ed25519 AAAAC3Nz…

A key that expired still vouches for what it signed while it was valid. A key that was stolen does
not: put its public half into `revoked_keys`, in the same folder, and nothing it ever signed counts.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from autograder.errors import AutograderError, GraderError

NAMESPACE = "tinytorch-report"
REVOKED = "revoked_keys"  # beside the allowed signers: nobody can forget to name it
SIGNATURE_BYTES = 4096
WAIT_S = 60
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]*")


class SignatureError(AutograderError):
    """A signature does not vouch for what it came with; says why."""

    exit_code = 2


class AlteredError(SignatureError):
    """The signature is well made, but over something else."""


def sign(data: bytes, key: Path) -> bytes:
    """Return the signature of `data` by the private `key`, a file without passphrase."""
    try:
        secret = Path(key).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise SignatureError(f"{key}: expected a private key, got none ({reason})") from None
    with _scratch("key", ("\n".join(secret.split("\r\n")).strip() + "\n").encode()) as copy:
        done = _ssh_keygen("sign", "-n", NAMESPACE, "-f", str(copy), given=data)
    if done.returncode:
        cure = "make one with: ssh-keygen -t ed25519 -N '' -f FILE"
        raise SignatureError(f"{key}: expected a private key without passphrase, got none; {cure}")
    return done.stdout


def verify(data: bytes, signature: bytes, allowed: Path, at: datetime | None = None) -> str:
    """Return who signed `data`, as the file `allowed` calls them; `at` is when, or None for now.

    Raises SignatureError with the reason where nobody did who may.
    """
    signers = principals(allowed)
    _require_armor(signature)
    revoked = Path(allowed).with_name(REVOKED)
    lists = ["-r", str(revoked)] if revoked.exists() else []
    with _scratch("signature", signature) as file:
        proof = ["-n", NAMESPACE, "-s", str(file)]
        person = [*proof, "-f", str(allowed), *_time(at)]
        for name in signers:
            if _agrees("verify", *person, *lists, "-I", name, given=data):
                return name
        _require_untouched(data, proof)
        if any(_agrees("verify", *person, "-I", name, given=data) for name in signers):
            raise SignatureError(f"its key is in {REVOKED} (or a line there is no key)")
    raise SignatureError(f"its key is not in {Path(allowed).name}, or was not valid at that time")


def principals(allowed: Path) -> list[str]:
    """Return the names in the file of allowed signers; GraderError where it cannot be used."""
    try:
        lines = Path(allowed).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise GraderError(f"{allowed}: expected the allowed signers, got none ({reason})") from None
    rows = (line.split() for line in lines)
    names = dict.fromkeys(row[0] for row in rows if row and not row[0].startswith("#"))
    for name in names:
        if not _NAME.fullmatch(name):
            raise GraderError(f"{allowed}: expected one plain name for a key, got {name[:80]!r}")
    if not names:
        cure = f'add a line: publish namespaces="{NAMESPACE}" and the public key'
        raise GraderError(f"{allowed}: expected the key of a publisher, got none; {cure}")
    return list(names)


def _require_armor(signature: bytes) -> None:
    """Demand the one way to write a signature down, so that no byte of it can be another."""
    lines = signature.decode("ascii", "replace").split("\n")
    try:
        inner = base64.b64decode("".join(lines[1:-2]), validate=True)
    except (binascii.Error, ValueError):
        inner = b""
    text = base64.b64encode(inner).decode()
    rows = [text[start : start + 70] for start in range(0, len(text), 70)]
    if not inner.startswith(b"SSHSIG") or lines != [_BEGIN, *rows, _END, ""]:
        raise SignatureError("its signature is none that OpenSSH writes")


def _require_untouched(data: bytes, proof: list[str]) -> None:
    done = _ssh_keygen("check-novalidate", *proof, given=data)
    if not done.returncode:
        return
    if b"namespace" in done.stderr:
        raise SignatureError(f"its signature is for another purpose than {NAMESPACE}")
    raise AlteredError("its signature is over something else")


def _time(at: datetime | None) -> list[str]:
    moment = at or datetime.now(timezone.utc)
    return ["-O", f"verify-time={moment.astimezone(timezone.utc):%Y%m%d%H%M%S}"]


def _agrees(*arguments: str, given: bytes) -> bool:
    return _ssh_keygen(*arguments, given=given).returncode == 0


def _ssh_keygen(*arguments: str, given: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run `ssh-keygen -Y …` on `given`, in UTC, asking nobody anything."""
    try:
        return subprocess.run(
            ["ssh-keygen", "-Y", *arguments],
            input=given,
            capture_output=True,
            env={"PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC", "LC_ALL": "C"}
            | {"SSH_ASKPASS_REQUIRE": "never"},
            start_new_session=True,  # no terminal that could be asked for a passphrase
            timeout=WAIT_S,
        )
    except FileNotFoundError:
        cure = "install OpenSSH's client (Debian: apt-get install openssh-client)"
        raise GraderError(f"ssh-keygen is missing, reports cannot be verified; {cure}") from None
    except subprocess.TimeoutExpired:
        raise GraderError(f"ssh-keygen -Y {arguments[0]} took longer than {WAIT_S} s") from None


@contextmanager
def _scratch(name: str, content: bytes) -> Iterator[Path]:
    """Hold `content` in a file that only this user can read."""
    with tempfile.TemporaryDirectory(prefix="signatures-") as folder:
        path = Path(folder) / name
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        yield path
