# base: reference
# loses: tanh
# refused: error PermissionError
"""Tries the system calls that few filters know: namespaces, shared memory, other address spaces."""

import ctypes


def tanh(x):
    """Call the C library where Python has no name for it."""
    libc = ctypes.CDLL(None, use_errno=True)
    attempts = {
        "unshare": (0x10000000,),
        "setns": (0, 0),
        "shmget": (0, 4096, 0o600),
        "msgget": (0, 0o600),
        "semget": (0, 1, 0o600),
        "personality": (0xFFFFFFFF,),
        "mount": (None, b"/", None, 0, None),
        "chroot": (b"/",),
        "process_vm_readv": (1, None, 0, None, 0, 0),
        "epoll_create1": (0,),
        "eventfd": (0, 0),
        "inotify_init1": (0,),
    }
    for name, arguments in attempts.items():
        ctypes.set_errno(0)
        if getattr(libc, name)(*arguments) >= 0:
            raise RuntimeError(f"leaked: {name} is open")
        if ctypes.get_errno() != 1:
            raise RuntimeError(f"leaked: {name} failed otherwise")
    raise PermissionError("leaked: nothing")
