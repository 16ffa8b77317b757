"""The fork server: a small trusted process that has imported NumPy and forks workers.

It runs no student code. The first one holds no secret: nothing of the reference is in it. A branch
has imported the reference's lower modules, whose code its workers can read; while a student can
still earn points on such a module, that is a secret. Therefore no free text that comes out of a
worker of a branch, neither message nor output, may reach a student. A server obeys one connection:

    {"op": "spawn"} + 3 descriptors     fork a worker; the worker answers by itself
    {"op": "end"}                       kill it and all its descendants -> what it used
    {"op": "branch"} + 2 descriptors    fork a server that imports the modules in a file

and it ends, with all that it started, when the connection or the process behind it ends.
"""

from __future__ import annotations

import base64
import contextlib
import gc
import importlib
import json
import os
import resource
import select
import signal
import site
import socket
import sys
import time
from typing import Any

import numpy as np

from autograder.sandbox import kernel, layers, package, proof, worker

PRELOADED = """
    numpy numpy.linalg numpy.random numpy.fft numpy.polynomial numpy.testing numpy.ma
    numpy.lib.stride_tricks numpy.lib.format numpy.lib.scimath numpy.lib.recfunctions
    numpy.exceptions numpy.typing numpy.ctypeslib numpy.strings numpy.rec numpy.char numpy.dtypes
    _strptime abc argparse array ast atexit base64 bdb bisect bz2 cProfile calendar cmath cmd code
    codecs codeop collections.abc colorsys concurrent.futures.thread configparser contextlib
    contextvars copy copyreg csv ctypes dataclasses datetime decimal difflib dis doctest enum errno
    faulthandler filecmp fileinput fnmatch fractions functools gc getopt getpass gettext glob
    graphlib gzip hashlib heapq hmac html importlib.util inspect io ipaddress itertools json keyword
    linecache locale logging lzma marshal math mmap numbers operator optparse os.path pathlib pdb
    pickle pkgutil platform pprint profile pstats queue random re reprlib resource runpy sched
    secrets select selectors shelve shlex shutil signal socket stat statistics string struct
    subprocess symtable sys sysconfig tempfile textwrap threading time timeit token tokenize tomllib
    trace traceback tracemalloc types typing unicodedata unittest urllib.parse uuid warnings weakref
    zipfile zlib zoneinfo
    encodings.ascii encodings.latin_1 encodings.utf_8_sig encodings.utf_16 encodings.utf_16_be
    encodings.utf_16_le encodings.utf_32 encodings.utf_32_be encodings.utf_32_le encodings.cp1252
    encodings.cp437 encodings.iso8859_15 encodings.unicode_escape encodings.idna
""".split()

MESSAGE_BYTES = 1 << 16
MOST_NAMES, REBUILT_S = 1 << 16, 2e-4  # to try; more than the time of one that fits


def preload() -> None:
    """Import what student code may import: later there are no files to import from."""
    for name in PRELOADED:
        with contextlib.suppress(ModuleNotFoundError):  # NumPy's modules differ by version
            importlib.import_module(name)
    site.setquit()  # Python was started without `site`; students know exit()
    np.random.seed(0)  # unseeded numbers repeat when a regrade asks again
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace", line_buffering=True)


def make_room_for_names() -> None:
    """Let Python rebuild its table of names now; else each worker may do so as it loads code."""
    for number in range(MOST_NAMES):
        began = time.perf_counter()
        sys.intern(f"~{number}")  # takes a place in the table, which is not free again afterwards
        if time.perf_counter() - began > REBUILT_S:
            return


class Server:
    """Serves one connection; holds at most one worker."""

    def __init__(self, connection: socket.socket, config: dict[str, Any]):
        """Obey `connection`, whose far end is the process that started this one."""
        self._connection, self._config = connection, config
        self._watch_parent()
        self._worker: int | None = None
        self._branches: set[int] = set()
        self._above = (config["grader_pid"],)
        self._uid = layers.worker_uid(os.getpid()) if os.geteuid() == 0 else None  # branches' too
        self._importer = package.install(config["package"])
        self._ruleset = _ruleset() if "landlock" in config["layers"] else None
        self._settle()

    def _settle(self) -> None:
        """Become the subreaper of what comes below; keep the collector off what is loaded."""
        self._above += (os.getpid(),)
        self._orders = self._prepare_orders()
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        if "dumpable" in self._config["layers"]:
            kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
        make_room_for_names()
        gc.collect()
        gc.freeze()

    def _prepare_orders(self) -> worker.Orders:
        config, program = self._config, self._config["seccomp_program"]
        lock = layers.Lock(
            limits=layers.limits(
                config["memory_bytes"], config["cpu_s"], alone=self._uid is not None
            ),
            landlock_ruleset=self._ruleset,
            seccomp_program=base64.b64decode(program) if program else None,
            uid=self._uid,
            server_pid=os.getpid(),
        )
        targets = proof.Targets(self._above, config["memory_bytes"])
        wanted = tuple(config["layers"])
        return worker.Orders(lock, wanted, targets, config["reply_bytes"], self._importer)

    def _watch_parent(self) -> None:
        self._parent = os.pidfd_open(os.getppid())  # readable once that process has ended

    def serve(self) -> None:
        """Obey until the connection or the parent ends, then end everything below."""
        while (message := self._next()) is not None:
            request, descriptors = message
            getattr(self, "_" + request["op"])(*descriptors)
            self._reap_branches()
        self._end_children(spare=set())

    def _next(self) -> tuple[dict[str, Any], list[int]] | None:
        watched = select.poll()
        watched.register(self._connection, select.POLLIN)
        watched.register(self._parent, select.POLLIN)
        ready = {fd for fd, _ in watched.poll()}
        if self._parent in ready:
            return None
        try:
            data, descriptors, _, _ = socket.recv_fds(self._connection, MESSAGE_BYTES, 4)
        except ConnectionResetError:  # the far end closed with a reply unread: it was interrupted
            return None
        return (json.loads(data), descriptors) if data else None

    def _reply(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._connection.send(json.dumps(message).encode())

    def _spawn(self, requests: int, replies: int, output: int) -> None:
        self._worker = kernel.fork()
        if self._worker == 0:
            worker.main(self._orders, requests, replies, output)
        for descriptor in (requests, replies, output):
            os.close(descriptor)

    def _end(self) -> None:
        if self._worker is None:
            return self._reply({"error": "there is no worker"})
        os.kill(self._worker, signal.SIGKILL)
        _, status, usage = os.wait4(self._worker, 0)
        self._worker = None
        self._end_children(spare=self._branches)
        self._reply(
            {
                "exit": os.waitstatus_to_exitcode(status),
                "cpu_s": usage.ru_utime + usage.ru_stime,
                "peak_rss_bytes": usage.ru_maxrss * 1024,
            }
        )

    def _branch(self, connection: int, sources: int) -> None:
        child = os.fork()
        if child:
            self._branches.add(child)
            os.close(connection)
            return os.close(sources)
        os.close(self._parent)
        self._watch_parent()
        self._connection.close()
        self._connection = socket.socket(fileno=connection)
        self._worker, self._branches = None, set()
        # Only now, after the fork: the first server must never have held these texts in memory.
        with open(sources, encoding="utf-8") as file:
            modules = json.load(file)
        self._import_reference(modules)

    def _import_reference(self, modules: dict[str, str]) -> None:
        try:
            package.add_reference(self._importer, modules)
        except Exception as error:
            return self._reply({"error": f"{type(error).__name__}: {error}"})
        self._settle()
        self._reply({"ready": True})

    def _reap_branches(self) -> None:
        for pid in list(self._branches):
            if os.waitpid(pid, os.WNOHANG)[0]:
                self._branches.remove(pid)

    def _end_children(self, spare: set[int]) -> None:
        """Kill all children, and the orphans that become children by it, until none is left."""
        while strays := _children() - spare:
            for pid in strays:
                os.kill(pid, signal.SIGKILL)
            for pid in strays:
                os.waitpid(pid, 0)


def _children() -> set[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return set(map(int, file.read().split()))
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN; locked workers never fork
        return set()


def _ruleset() -> int | None:
    try:
        return kernel.landlock_deny_all()
    except OSError:  # the layer itself reports that it is missing
        return None


def main() -> None:
    """Serve the connection whose descriptor is the first argument."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    bound = worker.MAX_DESCRIPTORS
    resource.setrlimit(resource.RLIMIT_NOFILE, (bound, bound))
    preload()
    for name in [name for name in sys.modules if name.partition(".")[0] == "autograder"]:
        del sys.modules[name]  # student code finds what it would find at home
    sys.argv = [""]
    config = json.loads(connection.recv(MESSAGE_BYTES) or "null")
    if config and os.getppid() == config["grader_pid"]:  # else it died meanwhile
        Server(connection, config).serve()
