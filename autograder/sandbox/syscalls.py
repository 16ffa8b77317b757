"""The seccomp filter of a worker: the system calls that Python and NumPy need once they are loaded.

All others fail with EPERM. There is no open, no stat, no socket, no fork, no exec, no kill, no
setrlimit, no ptrace: a worker computes, sleeps, starts threads, and reads and writes the pipes it
was born with. libseccomp knows the numbers on every architecture and writes the program.
"""

from __future__ import annotations

import errno
import tempfile
from functools import cache

ALLOWED = """
    read readv write writev close lseek
    brk mmap munmap mremap mprotect madvise
    futex set_robust_list get_robust_list rseq set_tid_address sched_yield membarrier
    sched_getaffinity sched_getparam sched_getscheduler sched_get_priority_max
    sched_get_priority_min
    rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending sigaltstack restart_syscall
    clock_gettime clock_getres clock_nanosleep gettimeofday nanosleep time times
    poll ppoll select pselect6
    getpid gettid getppid getpgrp getpgid getsid getuid geteuid getgid getegid getresuid getresgid
    getgroups getrusage getrlimit getcpu getcwd uname sysinfo getrandom
    exit exit_group
""".split()

CLONE_THREAD = 0x00010000
PR_SET_NAME, PR_GET_NAME = 15, 16


@cache
def program() -> bytes:
    """Return the filter as instructions for the kernel.

    Raises ImportError or RuntimeError where libseccomp or its binding is not installed.
    """
    import pyseccomp as seccomp  # not at the top: it needs libseccomp, which may be missing

    rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    rules.set_attr(seccomp.Attr.ACT_BADARCH, seccomp.KILL_PROCESS)  # 32-bit calls on 64 bits
    for name in ALLOWED:
        _allow(seccomp, rules, name)
    thread = seccomp.Arg(0, seccomp.MASKED_EQ, CLONE_THREAD, CLONE_THREAD)
    _allow(seccomp, rules, "clone", thread)
    # The flags of clone3 lie behind a pointer that a filter cannot follow: glibc then tries clone.
    rules.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    itself, reading = (seccomp.Arg(0, seccomp.EQ, 0), seccomp.Arg(2, seccomp.EQ, 0))
    _allow(seccomp, rules, "prlimit64", itself, reading)
    for option in (PR_SET_NAME, PR_GET_NAME):
        _allow(seccomp, rules, "prctl", seccomp.Arg(0, seccomp.EQ, option))
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


def _allow(seccomp, rules, name, *arguments) -> None:
    # libseccomp numbers a call that this architecture lacks (`time` on aarch64) below zero.
    if seccomp.resolve_syscall(seccomp.Arch.NATIVE, name) >= 0:
        rules.add_rule(seccomp.ALLOW, name, *arguments)
