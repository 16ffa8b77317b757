"""What a hidden check can hold on to: the student behind the sandbox, the reference beside it."""

from __future__ import annotations

import builtins
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.compare import (
    Disagreement,
    brief,
    identical,
    plain,
    require_finite,
    require_same,
)
from autograder.sandbox import StudentError, WorkerError, snapshot
from autograder.suite import Suite

_one_at_a_time = threading.Lock()  # the reference has one random generator, whatever the threads
AT_ONCE = 16  # probes that travel together; each journey costs about as much as a probe

Call = tuple[bytes, dict[str, Any]]  # the code of a probe, and its inputs
Answers = tuple[list[Any], StudentError | None]  # in order; at the first error they end


class Reference:
    """The reference framework, in this process."""

    def __init__(self, suite: Suite):
        """Answer the probes of `suite`."""
        self._suite = suite

    def run(self, probe: str, *, finite: bool = True, **inputs: Any) -> Any:
        """Run `probe` on a copy of `inputs`, so that no probe can change what another sees."""
        with _one_at_a_time:
            value = plain(self._suite.probe(probe)(**snapshot(inputs)))
        if finite:
            require_finite(value)
        return value


@dataclass(frozen=True)
class Expectation:
    """A probe whose answer is still to come, and what it must be."""

    call: Call
    finite: bool
    want: Any
    rtol: float
    atol: float

    def require(self, got: Any) -> None:
        """Raise `Disagreement` where the student's answer is another one."""
        got = plain(got)
        if self.finite:
            require_finite(got)
        require_same(got, self.want, rtol=self.rtol, atol=self.atol)


@dataclass(frozen=True)
class Answer:
    """What the reference answered to a probe."""

    probe: str
    inputs: dict[str, Any]
    value: Any


class Draw:
    """The inputs that one seed draws, and what the reference has answered to them so far.

    Many submissions that are graded with one seed may share it: it holds nothing of theirs.
    """

    def __init__(self, seed: int):
        """Begin with no answers."""
        self.seed = seed
        self._answers: dict[tuple[str, str], list[Answer]] = {}

    def rng(self, case: str) -> np.random.Generator:
        """Return the generator of a check, whatever other checks there are."""
        return np.random.default_rng([self.seed, zlib.crc32(case.encode())])

    def answers(self, suite: Suite, case: str) -> list[Answer]:
        """Return what is known of a check, to be added to."""
        return self._answers.setdefault((suite.assignment.id, case), [])


class Student:
    """The student's framework, in a sandboxed worker that this process does not trust.

    What must agree is asked for in batches: `settle` at the end of a check asks for the last one.
    """

    def __init__(
        self,
        suite: Suite,
        send: Callable[[list[Call]], Answers],
        known: list[Answer] | None = None,
        at_once: int = AT_ONCE,
    ):
        """Answer the probes of `suite` through `send`, which runs their code in a worker.

        `known` holds what the reference answered in this check before, and is added to.
        """
        self._suite, self._send, self._at_once = suite, send, at_once
        self._reference = Reference(suite)
        self._known, self._agreed = [] if known is None else known, 0
        self._expected: list[Expectation] = []
        self.failure: WorkerError | None = None  # the last one: no answer came, and why

    def run(self, probe: str, *, finite: bool = True, **inputs: Any) -> Any:
        """Run `probe` in the worker; raise WorkerError or Disagreement when no answer counts."""
        values, failure = self._ask((self._suite.probe_code(probe), inputs))
        if failure is not None:
            raise failure
        value = plain(values[0])
        if finite:
            require_finite(value)
        return value

    def agree(
        self,
        probe: str,
        *,
        rtol: float = 1e-6,
        atol: float = 1e-8,
        finite: bool = True,
        **inputs: Any,
    ) -> Any:
        """Demand that `probe` answers as on the reference; return what it answers there."""
        inputs = snapshot(inputs)
        want = self._wanted(probe, finite, inputs)
        call = (self._suite.probe_code(probe), inputs)
        self._expected.append(Expectation(call, finite, want, rtol, atol))
        if len(self._expected) >= self._at_once:
            self.settle()
        return want

    def refuses(self, probe: str, error, *words: str, bad: dict, good: dict) -> None:
        """Demand the `error` on `bad` inputs, its message with `words`, and an answer on `good`."""
        self.agree(probe, **good)  # code that refuses everything earns nothing
        values, refusal = self._ask((self._suite.probe_code(probe), bad))
        if refusal is None:
            names = " or ".join(kind.__name__ for kind in _types(error))
            raise Disagreement(f"expected {names}, got the answer {brief(values[0])}")
        _require_refusal(refusal, _types(error), words)

    def _wanted(self, probe: str, finite: bool, inputs: dict[str, Any]) -> Any:
        """Return the reference's answer, from memory where it has been asked the same before."""
        number, self._agreed = self._agreed, self._agreed + 1
        for before in self._known[number : number + 1]:
            if before.probe == probe and identical(before.inputs, inputs):
                return before.value
        value = self._reference.run(probe, finite=finite, **inputs)
        self._known[number:] = [Answer(probe, inputs, value)]
        return value

    def settle(self) -> None:
        """Ask for the answers that are still to come, and require each."""
        if self._expected:
            self._ask()

    def _ask(self, *calls: Call) -> Answers:
        """Ask for what is expected and then `calls`; return the answers to these alone."""
        expected, self._expected = self._expected, []
        self.failure = None
        try:
            values, failure = self._send([*(one.call for one in expected), *calls])
        except WorkerError as error:
            self.failure = error
            raise
        for one, value in zip(expected, values, strict=False):
            one.require(value)
        self.failure = failure
        if failure is not None and len(values) < len(expected):
            raise failure
        return values[len(expected) :], failure


def environment(suite: Suite, student: Student, case: str, draw: Draw) -> dict[str, Any]:
    """Return what the checks of `suite` may ask for by parameter name (see suite.PARAMETERS)."""
    return {
        "student": student,
        "reference": Reference(suite),
        "agree": student.agree,
        "refuses": student.refuses,
        "rng": draw.rng(case),
        "seed": draw.seed,
        "fixture": suite.fixture,
    }


def _require_refusal(refusal, kinds, words) -> None:
    kind, message = type(refusal), str(refusal)
    if isinstance(refusal, StudentError):
        kind, message = _exception(refusal.type_name), refusal.message
    if not issubclass(kind, kinds):
        expected = " or ".join(k.__name__ for k in kinds)
        raise Disagreement(f"expected {expected}, got {kind.__name__}: {message}") from refusal
    missing = [word for word in words if word.lower() not in message.lower()]
    if missing:
        raise Disagreement(f"expected the message to name {missing}, got: {message}") from refusal


def _exception(name: str) -> type[BaseException]:
    """Return the builtin or NumPy exception that a worker named; anything else is Exception."""
    found = getattr(builtins, name, None) or getattr(np.exceptions, name, None)
    is_exception = isinstance(found, type) and issubclass(found, BaseException)
    return found if is_exception else Exception


def _types(error) -> tuple[type[BaseException], ...]:
    return error if isinstance(error, tuple) else (error,)
