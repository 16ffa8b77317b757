"""The proof that a worker is locked: it tries to break each guarantee, before student code runs.

An attempt that the kernel refuses raises PermissionError or MemoryError. Everything else that can
happen, an unexpected error included, counts as a guarantee that does not hold.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass

from autograder.sandbox.kernel import checked, libc

HIDDEN_FILE = __file__  # stands for autograder/hidden, which lies beside it
PTRACE_SEIZE = 0x4206  # attaches without stopping, so that an attempt which succeeds does no harm
IPC_PRIVATE, IPC_REMOVE = 0, 0
MAP_NORESERVE = 0x4000  # or a small machine would refuse for want of memory, not of permission


@dataclass(frozen=True)
class Targets:
    """What a worker must not reach."""

    pids: tuple[int, ...]  # the grader and the fork servers
    memory_bytes: int


def broken(targets: Targets) -> list[str]:
    """Try to break every guarantee; return the names of those that broke."""
    return [name for name, attempt in GUARANTEES.items() if _succeeds(attempt, targets)]


def _succeeds(attempt: Callable[[Targets], None], targets: Targets) -> bool:
    try:
        attempt(targets)
    except (PermissionError, MemoryError):
        return False
    except Exception:
        return True
    return True


def _any(attempts: list[Callable[[], None]]) -> None:
    """Run the attempts until one is not refused; raise PermissionError when all are."""
    for attempt in attempts:
        try:
            attempt()
        except PermissionError:
            continue
        return
    raise PermissionError


def _read(path: str) -> None:
    os.close(os.open(path, os.O_RDONLY))


def _read_hidden(targets: Targets) -> None:
    paths = (HIDDEN_FILE, os.path.dirname(HIDDEN_FILE), "/etc/passwd", "/")
    _any([lambda path=path: _read(path) for path in paths])


def _stat_hidden(targets: Targets) -> None:
    os.stat(HIDDEN_FILE)


def _write_outside(targets: Targets) -> None:
    _any([lambda folder=folder: _create(folder) for folder in ("/tmp", "/dev/shm", "/var/tmp")])


def _create(folder: str) -> None:
    path = os.path.join(folder, f"proof-{secrets.token_hex(8)}")
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    os.unlink(path)


def _change_outside(targets: Targets) -> None:
    os.utime(HIDDEN_FILE, follow_symlinks=False)


def _read_parent(targets: Targets) -> None:
    attempts = [lambda pid=pid: _read(f"/proc/{pid}/mem") for pid in targets.pids]
    attempts += [lambda pid=pid: _read_memory(pid) for pid in targets.pids]
    _any(attempts)


class _Span(ctypes.Structure):
    _fields_ = [("start", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def _read_memory(pid: int) -> None:
    here = ctypes.create_string_buffer(8)
    span = _Span(ctypes.addressof(here), 8)
    # This address is mapped in the fork server too: the worker is a fork of it.
    checked(libc.process_vm_readv(pid, ctypes.byref(span), 1, ctypes.byref(span), 1, 0))


def _signal_parent(targets: Targets) -> None:
    _any([lambda pid=pid: os.kill(pid, 0) for pid in targets.pids])


def _limit_parent(targets: Targets) -> None:
    kind = resource.RLIMIT_CORE
    _any([lambda pid=pid: resource.prlimit(pid, kind) for pid in targets.pids])


def _ptrace(targets: Targets) -> None:
    _any([lambda pid=pid: _seize(pid) for pid in targets.pids])


def _seize(pid: int) -> None:
    checked(libc.ptrace(PTRACE_SEIZE, pid, None, None))


def _tcp(targets: Targets) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
        tcp.settimeout(1)
        tcp.connect(("127.0.0.1", 9))  # "connection refused" also means that it was reached


def _udp(targets: Targets) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.sendto(b"", ("127.0.0.1", 9))


def _unix_socket(targets: Targets) -> None:
    socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).close()


def _shared_memory(targets: Targets) -> None:
    segment = checked(libc.shmget(IPC_PRIVATE, ctypes.c_size_t(4096), 0o600))
    checked(libc.shmctl(segment, IPC_REMOVE, None))


def _fork(targets: Targets) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _exec(targets: Targets) -> None:
    os.execv("/nonexistent", ["nonexistent"])  # "not found" means that the call itself is open


def _become_root(targets: Targets) -> None:
    os.setresuid(0, 0, 0)


def _memory_limit(targets: Targets) -> None:
    try:
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE
        mmap.mmap(-1, targets.memory_bytes, flags=flags).close()
    except OSError as error:
        raise MemoryError from error


GUARANTEES: dict[str, Callable[[Targets], None]] = {
    "read_hidden": _read_hidden,
    "stat_hidden": _stat_hidden,
    "write_outside": _write_outside,
    "change_outside": _change_outside,
    "read_parent": _read_parent,
    "signal_parent": _signal_parent,
    "limit_parent": _limit_parent,
    "ptrace": _ptrace,
    "tcp": _tcp,
    "udp": _udp,
    "unix_socket": _unix_socket,
    "shared_memory": _shared_memory,
    "fork": _fork,
    "exec": _exec,
    "become_root": _become_root,
    "memory_limit": _memory_limit,
}
REQUIRED = frozenset(GUARANTEES) - {"stat_hidden"}  # that a file exists gives no check away
