"""How a worker can fail: facts for the trusted side, said in its own words.

WorkerError                 kind
├── StudentError            "error"      the student's code raised
├── WorkerTimeout           "timeout"    the bound on time
├── WorkerMemory            "memory"     the bound on memory
├── WorkerOutput            "output"     the bound on printed text or on the size of an answer
├── WorkerDied              "died"       the process ended without an answer
└── Tampering               "tampering"  what came back is not what the worker's own code sends

`str` of a failure is one line of trusted text. What the student's code said is `message`.
"""

from __future__ import annotations

MESSAGE_LENGTH = 500


class WorkerError(Exception):
    """No answer came from the worker; `kind` says why in one word."""

    kind = "error"


class StudentError(WorkerError):
    """The student's code raised an exception."""

    def __init__(self, type_name: str, line: int | None, path: str | None, message: str):
        """Hold the builtin or NumPy type, the place in the student's file, the cleaned message."""
        super().__init__(type_name, line, path, message)
        self.type_name, self.line, self.path, self.message = type_name, line, path, message

    def __str__(self) -> str:
        """Say type and place; the message is not trusted and stays apart."""
        if self.path is None:
            return self.type_name
        return f"{self.type_name} in {self.path}, line {self.line}"


class WorkerTimeout(WorkerError):
    """The bound on wall or processor time was hit."""

    kind = "timeout"


class WorkerMemory(WorkerError):
    """The bound on memory was hit."""

    kind = "memory"


class WorkerOutput(WorkerError):
    """The bound on printed text or on the size of an answer was hit."""

    kind = "output"


class WorkerDied(WorkerError):
    """The worker's process ended without an answer."""

    kind = "died"


class Tampering(WorkerError):
    """The worker sent bytes that its own code never sends."""

    kind = "tampering"
