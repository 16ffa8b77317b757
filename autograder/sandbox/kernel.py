"""The few Linux calls that Python has no name for, by ctypes; each raises OSError when refused."""

from __future__ import annotations

import ctypes
import os

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

# The numbers of these three are the same on every architecture.
LANDLOCK_CREATE_RULESET = 444
LANDLOCK_RESTRICT_SELF = 446

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
_libc_with_lock = ctypes.PyDLL(None, use_errno=True)  # keeps Python's lock during a call


def checked(result: int) -> int:
    """Return the result of a libc function, or raise the OSError that it left in errno."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def fork() -> int:
    """Fork this process, which must have one thread, without what Python does after a fork.

    That would start locks, generators and loggers anew, for threads that are not there, and write
    to some 200 pages of memory which the two could otherwise share.
    """
    return checked(_libc_with_lock.fork())


def prctl(option: int, value: int = 0, pointer: object = None) -> None:
    """Change an attribute of this process."""
    checked(libc.prctl(option, ctypes.c_ulong(value), pointer, None, None))


class _LandlockAttributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("files", "network", "scoped")]


# How many kinds of access a version of Landlock knows: files, network, signals and sockets.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
_ALL_FILE_RIGHTS, _NETWORK_RIGHTS, _SCOPES = 16, 2, 2


def landlock_version() -> int:
    """Return the version of Landlock in this kernel; OSError where there is none."""
    return checked(libc.syscall(LANDLOCK_CREATE_RULESET, None, 0, 1))


def landlock_deny_all() -> int:
    """Return a ruleset, as a file descriptor, that grants no file, no TCP, no signal."""
    version = landlock_version()
    rules = _LandlockAttributes((1 << _FILE_RIGHTS.get(version, _ALL_FILE_RIGHTS)) - 1)
    rules.network = (1 << _NETWORK_RIGHTS) - 1 if version >= 4 else 0
    rules.scoped = (1 << _SCOPES) - 1 if version >= 6 else 0
    length = 24 if version >= 6 else 16 if version >= 4 else 8
    call = libc.syscall(
        LANDLOCK_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(length), ctypes.c_uint(0)
    )
    return checked(call)


def landlock_restrict(ruleset: int) -> None:
    """Hold this thread to `ruleset` for ever; needs no_new_privs."""
    checked(libc.syscall(LANDLOCK_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint(0)))


class _SeccompProgram(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def seccomp_filter(program: bytes) -> None:
    """Hold this thread and its children to a compiled filter for ever; needs no_new_privs."""
    instruction_bytes, filter_mode = 8, 2
    pointer = ctypes.byref(_SeccompProgram(len(program) // instruction_bytes, program))
    prctl(PR_SET_SECCOMP, filter_mode, pointer)


class _Capabilities(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


class _CapabilityHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


# Made here, once: ctypes derives a type for each array, which is dear in a process just forked.
_THIS_PROCESS = ctypes.byref(_CapabilityHeader(0x20080522, 0))  # the version of two words
_NO_CAPABILITIES = (_Capabilities * 2)()


def drop_capabilities() -> None:
    """Give up every capability of this process."""
    checked(libc.capset(_THIS_PROCESS, _NO_CAPABILITIES))
