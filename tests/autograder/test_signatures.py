"""A signature vouches for these bytes, for this purpose, by a key that was good at the time."""

from __future__ import annotations

import subprocess
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.errors import GraderError
from autograder.signatures import AlteredError, SignatureError, sign, verify
from tests.autograder.signed import line, new_key

DATA = b'{"points": 90}\n'
AUTUMN, SPRING = (datetime(*day, tzinfo=timezone.utc) for day in ((2026, 11, 1), (2027, 4, 1)))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with the keys `old`, `new` and `stranger`."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("old", "new", "stranger"):
        new_key(folder, name)
    return folder


@pytest.fixture(scope="module")
def allowed(place):
    """Return the allowed signers after one change of keys, on 1 January."""
    file = place / "signers" / "allowed_signers"
    file.parent.mkdir()
    namespace = 'namespaces="tinytorch-report"'
    file.write_text(
        "# publishers\n"
        + line(place / "old", "autumn", f'{namespace},valid-before="20270101"')
        + line(place / "new", "spring", f'{namespace},valid-after="20270101"')
    )
    return file


@pytest.fixture(scope="module")
def signature(place):
    """Return the old key's signature of DATA."""
    return sign(DATA, place / "old")


def test_a_signature_tells_who_signed(place, allowed, signature):
    """By the name that the key has in the file."""
    assert verify(DATA, signature, allowed, AUTUMN) == "autumn"
    assert verify(DATA, sign(DATA, place / "new"), allowed, SPRING) == "spring"


def test_an_old_key_vouches_for_its_time_only(allowed, signature):
    """What it signed then stays good; after the change it signs nothing."""
    assert verify(DATA, signature, allowed, AUTUMN)
    with pytest.raises(SignatureError, match="not valid at that time"):
        verify(DATA, signature, allowed, SPRING)


def test_a_new_key_does_not_reach_into_the_past(place, allowed):
    """Before its first day it signs nothing."""
    with pytest.raises(SignatureError, match="not valid at that time"):
        verify(DATA, sign(DATA, place / "new"), allowed, AUTUMN)


def test_the_days_of_a_key_are_in_utc(place, allowed, signature, monkeypatch):
    """Wherever the machine stands, and whether the file says so or not."""
    monkeypatch.setenv("TZ", "XXX-14")  # 14 hours ahead
    first, last = AUTUMN.replace(day=2, minute=1), AUTUMN.replace(hour=23, minute=59)
    days = 'valid-after="20261101",valid-before="20261102Z"'
    file = place / "utc_signers"
    file.write_text(line(place / "old", "autumn", days))
    assert verify(DATA, signature, file, last) == "autumn"
    with pytest.raises(SignatureError, match="not valid at that time"):
        verify(DATA, signature, file, first)


def test_nothing_a_revoked_key_ever_signed_counts(place, allowed, signature):
    """The file beside the allowed signers needs no option; the other key is as before."""
    revoked = allowed.with_name("revoked_keys")
    revoked.write_text("# stolen\n" + (place / "old.pub").read_text())
    try:
        with pytest.raises(SignatureError, match="revoked_keys"):
            verify(DATA, signature, allowed, AUTUMN)
        assert verify(DATA, sign(DATA, place / "new"), allowed, SPRING) == "spring"
    finally:
        revoked.unlink()


def test_an_unknown_key_vouches_for_nothing(place, allowed):
    """Anybody can make a key."""
    with pytest.raises(SignatureError, match="its key is not in allowed_signers"):
        verify(DATA, sign(DATA, place / "stranger"), allowed, AUTUMN)


def test_a_signature_for_another_purpose_is_none(place, allowed):
    """The same key may sign commits; such a signature proves no report."""
    other = ["ssh-keygen", "-q", "-Y", "sign", "-n", "git", "-f", place / "old"]
    forged = subprocess.run(other, input=DATA, capture_output=True, check=True).stdout
    with pytest.raises(SignatureError, match="another purpose than tinytorch-report"):
        verify(DATA, forged, allowed, AUTUMN)


def test_changed_bytes_are_told_from_a_foreign_key(allowed, signature):
    """It says that they are altered."""
    with pytest.raises(AlteredError, match="over something else"):
        verify(DATA.replace(b"9", b"8"), signature, allowed, AUTUMN)


@pytest.mark.parametrize("text", [b"", b"\0" * 100, b"-----BEGIN SSH SIGNATURE-----\n" * 3])
def test_what_is_no_signature_is_refused(text, allowed):
    """It is not even given to OpenSSH."""
    with pytest.raises(SignatureError, match="none that OpenSSH writes"):
        verify(DATA, text, allowed, AUTUMN)


def changed(content, position, mask):
    """Return `content` with one byte changed."""
    position %= len(content)
    altered = bytes([content[position] ^ mask])
    return content[:position] + altered + content[position + 1 :]


@given(st.integers(0, 1000), st.integers(1, 255), st.booleans())
def test_no_byte_of_data_or_signature_can_change(allowed, signature, position, mask, of_data):
    """Not one, to no other value."""
    data = changed(DATA, position, mask) if of_data else DATA
    proof = signature if of_data else changed(signature, position, mask)
    with pytest.raises(SignatureError):
        verify(data, proof, allowed, AUTUMN)


def test_a_signature_can_be_written_in_one_way_only(allowed, signature):
    """White space, another line width or text around it would leave it valid to OpenSSH."""
    lines = signature.decode().split("\n")
    joined = "\n".join([lines[0], "".join(lines[1:-2]), *lines[-2:]])
    for other in (signature + b"\n", signature[:-1], b"\n" + signature, joined.encode()):
        with pytest.raises(SignatureError, match="none that OpenSSH writes"):
            verify(DATA, other, allowed, AUTUMN)


def test_a_key_out_of_a_secret_works_whatever_became_of_its_line_ends(place, allowed, signature):
    """A secret that was pasted lost its last newline, or came from Windows."""
    for ending in ("\n", "\r\n"):
        key = place / "pasted"
        text = ending.join((place / "old").read_text().split("\n")).strip()
        key.write_bytes(text.encode())
        assert sign(DATA, key) == signature


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"my secret key\n"])
def test_what_is_no_private_key_is_named_and_not_shown(content, tmp_path):
    """One line, with what to do."""
    key = tmp_path / "key"
    if content is not None:
        key.write_bytes(content)
    with pytest.raises(SignatureError, match="expected a private key") as caught:
        sign(DATA, key)
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)


def test_a_key_with_a_passphrase_is_refused_and_asks_nobody(tmp_path):
    """A runner would wait for ever."""
    key = tmp_path / "key"
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "long enough", "-f", key]
    subprocess.run(make, check=True, stdin=subprocess.DEVNULL)
    with pytest.raises(SignatureError, match="without passphrase"):
        sign(DATA, key)


@pytest.mark.parametrize(
    ("content", "came"),
    [
        (None, "got none .No such file"),
        ("# nobody yet\n", "expected the key of a publisher, got none; add a line"),
        ("*@example.org ssh-ed25519 AAAA\n", "expected one plain name"),
    ],
)
def test_a_list_of_signers_that_cannot_be_used_stops_everything(content, came, tmp_path, signature):
    """It is our fault, and no reason to call every report forged."""
    file = tmp_path / "allowed_signers"
    if content is not None:
        file.write_text(content)
    with pytest.raises(GraderError, match=came):
        verify(DATA, signature, file, AUTUMN)


def test_a_machine_without_openssh_is_told_what_to_install(allowed, signature, monkeypatch):
    """One clear line."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(GraderError, match="apt-get install openssh-client"):
        verify(DATA, signature, allowed, AUTUMN)
