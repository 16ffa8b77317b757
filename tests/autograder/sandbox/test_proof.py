"""Full isolation is proved by attempts that fail, and each missing layer is refused by name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.errors import IsolationError
from autograder.sandbox import Sandbox, StudentError, WorkerDied
from autograder.sandbox.isolation import Isolation, judge
from autograder.sandbox.layers import LAYERS, WORKER_UIDS, Lock, apply, required
from autograder.sandbox.proof import GUARANTEES, REQUIRED

ROOT = os.geteuid() == 0
HERE = Path(__file__).resolve().parents[3]
MINE = required(as_root=ROOT)


def test_isolation_is_full_on_this_machine(box):
    """All layers apply and no attempt to break a guarantee goes through, as whoever runs this."""
    assert box.isolation == "full" and box.missing == {}
    assert set(box.proved) == set(GUARANTEES)


def status_of(pid: int) -> dict[str, str]:
    """Return what the kernel says of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: rest.strip() for name, _, rest in (line.partition(":") for line in lines)}


def test_the_kernel_says_so_too(box):
    """Seen from outside: no capability, no new privileges, a filter, another user."""
    with box.branch({}).worker() as worker:
        status = status_of(worker.pid)
        memory_belongs_to = os.stat(f"/proc/{worker.pid}/mem").st_uid
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    users = WORKER_UIDS if ROOT else [os.geteuid()]
    assert len(set(status["Uid"].split())) == 1 and int(status["Uid"].split()[0]) in users
    assert memory_belongs_to == 0  # which is what the kernel makes of a process that is concealed


@pytest.mark.skipif(not ROOT, reason="only root has other users to become")
def test_each_sandbox_has_a_user_of_its_own(box):
    """The worker of another sandbox has another uid; a second branch of the same has this one."""
    branch = box.branch({"tinytorch.tensor": "X = 1"})
    with Sandbox() as other, box.branch({}).worker() as one, branch.worker() as two:
        with other.branch({}).worker() as three:
            first, second, third = (status_of(w.pid)["Uid"] for w in (one, two, three))
    assert first == second != third


@pytest.mark.skipif(not ROOT, reason="an ordinary user cannot leave a group")
def test_a_worker_is_in_no_group_of_the_graders():
    """Root's groups may open files; the worker's user has left them."""
    code = """
from autograder.sandbox import Sandbox
with Sandbox() as box, box.branch({}).worker() as worker:
    print(*[line for line in open(f"/proc/{worker.pid}/status") if line.startswith("Groups")])
"""
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, extra_groups=[4, 24], cwd=HERE, capture_output=True, text=True)
    assert run.stdout.split() == ["Groups:"], run.stderr


@pytest.mark.skipif(not ROOT, reason="an ordinary user has no capabilities to give up")
def test_root_that_cannot_become_another_user_has_no_capabilities(student_within):
    """Should the uid not be dropped, all the powers of root are."""
    box = student_within(require_full=False, without={"uid"}).box
    with box.branch({}).worker() as worker:
        status = status_of(worker.pid)
    assert status["Uid"].split() == ["0"] * 4
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0


def test_the_limits_are_set_within(student):
    """No file may grow, no core is dumped, few descriptors, the stack and memory bounded."""
    source = """
import resource
def answer():
    kinds = "FSIZE CORE MEMLOCK MSGQUEUE NOFILE STACK AS".split()
    return [resource.getrlimit(getattr(resource, f"RLIMIT_{kind}")) for kind in kinds]
"""
    *none, files, stack, memory = student(source)
    assert none == [[0, 0]] * 4
    assert files == [16, 16] and stack == [8 << 20, 8 << 20] and memory == [2 << 30, 2 << 30]


def test_a_worker_holds_five_descriptors(student):
    """Nothing of the servers is left open: input, output, errors, requests, replies."""
    source = """
import errno, os
def is_open(number):
    try:
        return os.lseek(number, 0, os.SEEK_CUR) >= 0
    except OSError as error:
        return error.errno != errno.EBADF
def answer():
    return sum(map(is_open, range(1024)))
"""
    assert student(source) == 5


# What student code tries, as itself and past Python through the C library.
ATTACKS = {
    "open": "open('/etc/passwd')",
    "open for writing": "open('/tmp/left-behind', 'w')",
    "open a relative path": "open('left-behind', 'w')",
    "list": "os.listdir('/')",
    "stat": "os.stat('/etc/passwd')",
    "make a folder": "os.mkdir('/tmp/left-behind')",
    "make a temporary folder": "__import__('tempfile').mkdtemp(dir='/tmp')",
    "remove": "os.remove('/etc/passwd')",
    "rename": "os.rename('/etc/passwd', '/tmp/x')",
    "link": "os.symlink('/etc/passwd', '/tmp/left-behind')",
    "change the mode": "os.chmod('/tmp', 0)",
    "change the folder": "os.chdir('/tmp')",
    "read the memory of the parent": "open(f'/proc/{os.getppid()}/mem')",
    "read the environment of the parent": "open(f'/proc/{os.getppid()}/environ')",
    "signal the parent": "os.kill(os.getppid(), 0)",
    "signal everyone": "os.kill(-1, 0)",
    "signal itself": "os.kill(os.getpid(), 9)",
    "fork": "os.fork()",
    "run a program": "__import__('subprocess').run(['true'])",
    "a shell": "sys.exit() if os.system('true') == 0 else denied()",
    "replace itself": "os.execv(sys.executable, ['python'])",
    "a tcp socket": "socket.create_connection(('127.0.0.1', 22))",
    "a udp socket": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "a unix socket": "socket.socketpair()",
    "a raw socket": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "a name to look up": "sys.exit() if resolves() else denied()",
    "a file in memory": "os.memfd_create('x')",
    "a pipe": "os.pipe()",
    "a copy of a descriptor": "os.dup(1)",
    "other limits": "c('setrlimit', resource.RLIMIT_CORE, (ctypes.c_long * 2)(0, 0))",
    "less memory for the parent": "resource.prlimit(os.getppid(), resource.RLIMIT_AS, (0, 0))",
    "another user": "os.setuid(0)",
    "a new session": "os.setsid()",
    "a lower priority": "os.nice(5)",
    "ptrace": "c('ptrace', 0, 0, 0, 0)",
    "ptrace the parent": "c('ptrace', 0x4206, os.getppid(), 0, 0)",
    "shared memory": "c('shmget', 0, 4096, 0o600)",
    "a message queue": "c('msgget', 0, 0o600)",
    "a semaphore": "c('semget', 0, 1, 0o600)",
    "a posix queue": "c('mq_open', b'/x', 0o102, 0o600, None)",
    "a namespace": "c('unshare', 0x10000000)",
    "a mount": "c('mount', b'none', b'/tmp', b'tmpfs', 0, None)",
    "a child by clone": "c('syscall', CLONE, 17, 0, 0, 0, 0)",
    "a child by vfork": "c('vfork')",
    "a keyring": "c('syscall', KEYRING, 0, -4, 0, 0, 0)",
    "a performance counter": "c('syscall', PERF, 0, 0, -1, -1, 0)",
    "a ring of requests": "c('syscall', 425, 8, 0)",
    "a handle on a process": "c('syscall', 434, os.getppid(), 0)",
    "a user fault": "c('syscall', FAULT, 0)",
    "a program in the kernel": "c('syscall', BPF, 0, 0, 0)",
}
NUMBERS = {  # clone, keyctl, perf_event_open, userfaultfd, bpf
    "x86_64": (56, 250, 298, 323, 321),
    "aarch64": (220, 219, 241, 282, 280),
}
TOOLS = f"""
import ctypes, os, resource, socket, sys
CLONE, KEYRING, PERF, FAULT, BPF = {NUMBERS.get(os.uname().machine)}
libc = ctypes.CDLL(None, use_errno=True)

def denied():
    raise PermissionError("denied")

def resolves():
    try:
        return socket.getaddrinfo("localhost", 80) and False
    except OSError:
        return False

def c(name, *arguments):
    if getattr(libc, name)(*arguments) != -1:
        return
    raise OSError(ctypes.get_errno(), name)

def answer():
"""


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_student_code_is_refused(student, attack):
    """Each attempt ends in PermissionError, by Python's own means or the C library's."""
    with pytest.raises(StudentError) as caught:
        student(f"{TOOLS}    {attack}\n")
    assert caught.value.type_name == "PermissionError", caught.value.message


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="only x86-64 has two other doors")
@pytest.mark.parametrize(
    "code",
    ["b8 14 00 00 00 cd 80 c3", "b8 27 00 00 40 0f 05 c3"],
    ids=["32-bit calls", "calls of the x32 kind"],
)
def test_no_other_door_leads_into_the_kernel(student, code):
    """getpid by another calling convention, whose numbers mean other calls, ends the process."""
    source = f"""
import ctypes, mmap
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(bytes.fromhex("{code}"))
def answer():
    return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
"""
    with pytest.raises(WorkerDied, match="ended by SIGSYS"):
        student(source)


def test_nothing_was_left_behind(box):
    """None of the attempts above made a file."""
    assert not os.path.exists("/tmp/left-behind") and not os.path.exists("/left-behind")


@pytest.mark.parametrize("layer", MINE)
def test_a_missing_layer_is_refused_by_name(layer):
    """Without any one of the layers, grading does not start, and one reads which is missing."""
    with pytest.raises(IsolationError, match=rf"missing: .*\b{layer}\b"):
        Sandbox(without={layer}).__enter__()


@pytest.mark.parametrize("layer", MINE)
def test_a_missing_layer_is_reported_when_it_is_not_required(student_within, layer):
    """Where full isolation is not asked for, work goes on and the report names what is missing."""
    student = student_within(require_full=False, without={layer})
    assert student.box.isolation != "full" and layer in student.box.missing
    assert student("def answer():\n    return 1") == 1


# What an attempt reaches once the layers that stand before it are gone.
NEEDED = {
    ("seccomp",): {"udp", "unix_socket", "shared_memory", "fork", "exec", "stat_hidden"},
    ("landlock", "seccomp"): {"read_hidden", "write_outside", "tcp"},
    ("limits",): {"memory_limit"},
}
BY_ROOT = {
    ("landlock", "seccomp", "uid", "capabilities"): {
        "read_parent",
        "signal_parent",
        "limit_parent",
        "ptrace",
        "change_outside",
        "become_root",
    },
}
BY_OTHERS = {
    ("landlock", "seccomp"): {"signal_parent", "limit_parent"},
}


@pytest.mark.parametrize(
    ("without", "reached"),
    (NEEDED | (BY_ROOT if ROOT else BY_OTHERS)).items(),
    ids=lambda value: "+".join(sorted(value)),
)
def test_an_attempt_goes_through_once_its_layers_are_gone(student_within, without, reached):
    """The attempts are real: each succeeds where nothing stands in its way, and is named."""
    box = student_within(require_full=False, without=set(without)).box
    assert reached <= set(GUARANTEES) - set(box.proved)
    assert reached & REQUIRED <= box.missing.keys()


def test_without_any_layer_there_is_no_isolation(student_within):
    """With files, network and processes all open, the report says none."""
    assert student_within(require_full=False, without=set(LAYERS)).box.isolation == "none"


def test_a_machine_without_libseccomp_is_refused_with_the_cure(monkeypatch):
    """The binding that cannot be imported is named as what to install."""
    from autograder.sandbox import syscalls

    def program():
        raise RuntimeError("Unable to find libseccomp")

    monkeypatch.setattr(syscalls, "program", program)
    with pytest.raises(IsolationError, match="seccomp .*install libseccomp2 and pyseccomp"):
        Sandbox().__enter__()


def test_a_layer_that_the_machine_lacks_says_so():
    """Where there is no ruleset and no filter to apply, the layers fail with the reason."""
    lock = Lock((), landlock_ruleset=None, seccomp_program=None, uid=None, server_pid=0)
    failed = apply(lock, ("landlock", "seccomp"))
    assert failed == {
        "landlock": "OSError: this kernel has no Landlock",
        "seccomp": "OSError: the filter could not be made",
    }


def test_a_kernel_without_landlock_is_refused_with_the_cure():
    """The layer reports what it lacks, the sandbox what would help."""
    report = {"failed": {"landlock": "OSError: this kernel has no Landlock"}, "broken": []}
    isolation = judge(report, {})
    assert str(isolation) == "reduced(landlock)"
    assert "Linux 5.13 or newer" in isolation.explain()


def test_a_later_worker_may_not_be_isolated_less(box):
    """What the first worker proved is asked of every other."""
    with pytest.raises(IsolationError, match="less than the first: tcp"):
        box._accept({"failed": {}, "broken": ["tcp"]})


def test_that_a_file_exists_is_no_secret():
    """Reaching `stat` alone does not reduce isolation."""
    assert "stat_hidden" not in REQUIRED
    assert str(judge({"failed": {}, "broken": ["stat_hidden"]}, {})) == "full"


def test_nothing_proved_is_no_isolation():
    """Before a worker has proved anything, isolation is none."""
    assert str(Isolation()) == "none" == Sandbox().isolation


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_another_system_is_refused_clearly(monkeypatch, platform):
    """Off Linux the sandbox says what is missing and where to go."""
    monkeypatch.setattr(sys, "platform", platform)
    with pytest.raises(IsolationError, match=f"isolation: none.*this is {platform}"):
        Sandbox(require_full=False).__enter__()
