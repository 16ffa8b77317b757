"""Who a report is about: a keyed hash, so that no report, ledger or log holds a name."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from pathlib import Path

from autograder.errors import GraderError

KEY_BYTES = 32
VARIABLE = "AUTOGRADER_KEY_FILE"


def submitter_id(name: str, key: bytes) -> str:
    """Return 32 letters that are always the same for `name`, and tell nothing without the key."""
    if len(key) < KEY_BYTES:
        raise GraderError(f"the submitter key has {len(key)} bytes, expected {KEY_BYTES} or more")
    known = name.encode("utf-8", "surrogateescape")  # the bytes on disk, which may be no UTF-8
    digest = hashlib.blake2b(known, key=key[:64], digest_size=20, person=b"submitter")
    return base64.b32encode(digest.digest()).decode().lower()


def load_key(path: Path | None = None) -> bytes:
    """Return the staff's key in `path`, $AUTOGRADER_KEY_FILE or the user's configuration.

    The first use makes one. Whoever has it can tell which report is whose; another key makes every
    student a new one.
    """
    path = path or _default_path()
    try:
        if not path.exists():
            _create(path)
        text = path.read_text(encoding="ascii").strip()
        return bytes.fromhex(text)
    except OSError as error:
        cure = f"set {VARIABLE} to a file that can be read and written"
        raise GraderError(f"{path}: no submitter key ({error.strerror}); {cure}") from error
    except ValueError:
        cure = f"restore it, or remove it to begin anew ({KEY_BYTES * 2} hexadecimal digits)"
        raise GraderError(f"{path}: this is no submitter key; {cure}") from None


def _default_path() -> Path:
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE])
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "tinytorch" / "submitter.key"


def _create(path: Path) -> None:
    """Write a new key whole or not at all; when two make one at once, the first one stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(KEY_BYTES) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
