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
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from autograder.sandbox.kernel import checked, libc

HIDDEN_FILE = __file__  # stands for autograder/hidden, which lies beside it
HIDDEN_PATHS = (HIDDEN_FILE, os.path.dirname(HIDDEN_FILE), "/etc/passwd", "/")
NEW_FILES = tuple(
    f"{folder}/proof-{secrets.token_hex(8)}" for folder in ("/tmp", "/dev/shm", "/var/tmp")
)
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


def _any(attempt: Callable[[Any], None], things: Iterable[Any]) -> None:
    """Attempt each of the things until one is not refused; raise PermissionError when all are."""
    for thing in things:
        try:
            attempt(thing)
        except PermissionError:
            continue
        return
    raise PermissionError


def _read(path: str) -> None:
    os.close(os.open(path, os.O_RDONLY))


def _read_hidden(targets: Targets) -> None:
    _any(_read, HIDDEN_PATHS)


def _stat_hidden(targets: Targets) -> None:
    os.stat(HIDDEN_FILE)


def _write_outside(targets: Targets) -> None:
    _any(_create, NEW_FILES)


def _create(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    os.unlink(path)


def _change_outside(targets: Targets) -> None:
    os.utime(HIDDEN_FILE, follow_symlinks=False)


def _read_parent(targets: Targets) -> None:
    _any(_read_file_of_memory, targets.pids)


def _read_file_of_memory(pid: int) -> None:
    try:
        _read(f"/proc/{pid}/mem")
    except PermissionError:
        _read_memory(pid)


class _Span(ctypes.Structure):
    _fields_ = [("start", ctypes.c_void_p), ("length", ctypes.c_size_t)]


# This address is mapped in the fork server too: the worker is a fork of it.
_HERE = ctypes.create_string_buffer(8)
_SPAN = ctypes.byref(_Span(ctypes.addressof(_HERE), 8))


def _read_memory(pid: int) -> None:
    checked(libc.process_vm_readv(pid, _SPAN, 1, _SPAN, 1, 0))


def _signal_parent(targets: Targets) -> None:
    _any(_signal, targets.pids)


def _signal(pid: int) -> None:
    os.kill(pid, 0)


def _limit_parent(targets: Targets) -> None:
    _any(_limit, targets.pids)


def _limit(pid: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_CORE)


def _ptrace(targets: Targets) -> None:
    _any(_seize, targets.pids)


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
