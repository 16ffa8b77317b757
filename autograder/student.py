"""What a hidden check can hold on to: the student behind the sandbox, the reference beside it."""

from __future__ import annotations

import builtins
import zlib
from collections.abc import Callable
from copy import deepcopy
from typing import Any, Protocol

import numpy as np

from autograder.compare import Disagreement, brief, plain, require_finite, require_same
from autograder.sandbox import StudentError
from autograder.suite import Suite


class Framework(Protocol):
    """Something that answers a probe: the student's framework or the reference."""

    def run(self, probe: str, *, finite: bool = True, **inputs: Any) -> Any:
        """Run `probe` on `inputs` and return its value."""


class Reference:
    """The reference framework, in this process."""

    def __init__(self, suite: Suite):
        """Answer the probes of `suite`."""
        self._suite = suite

    def run(self, probe: str, *, finite: bool = True, **inputs: Any) -> Any:
        """Run `probe` on a copy of `inputs`, so that no probe can change what another sees."""
        value = plain(self._suite.probe(probe)(**deepcopy(inputs)))
        if finite:
            require_finite(value)
        return value


class Student:
    """The student's framework, in a sandboxed worker that this process does not trust."""

    def __init__(self, suite: Suite, send: Callable[[bytes, dict[str, Any]], Any]):
        """Answer the probes of `suite` through `send`, which runs a probe's code in a worker."""
        self._suite, self._send = suite, send

    def run(self, probe: str, *, finite: bool = True, **inputs: Any) -> Any:
        """Run `probe` in the worker; raise WorkerError or Disagreement when no answer counts."""
        value = plain(self._send(self._suite.probe_code(probe), inputs))
        if finite:
            require_finite(value)
        return value


def environment(suite: Suite, student: Framework, case: str, seed: int) -> dict[str, Any]:
    """Return what the checks of `suite` may ask for by parameter name (see suite.PARAMETERS).

    The random inputs depend on the seed and on the check alone, not on the order of checks.
    """
    reference = Reference(suite)
    return {
        "student": student,
        "reference": reference,
        "agree": _agree(student, reference),
        "refuses": _refuses(student, reference),
        "rng": np.random.default_rng([seed, zlib.crc32(case.encode())]),
        "seed": seed,
        "fixture": suite.fixture,
    }


def _agree(student: Framework, reference: Framework):
    def agree(probe, *, rtol=1e-6, atol=1e-8, finite=True, **inputs):
        want = reference.run(probe, finite=finite, **inputs)
        got = student.run(probe, finite=finite, **inputs)
        require_same(got, want, rtol=rtol, atol=atol)
        return got

    return agree


def _refuses(student: Framework, reference: Framework):
    agree = _agree(student, reference)

    def refuses(probe, error, *words, bad, good):
        agree(probe, **good)  # code that refuses everything earns nothing
        try:
            value = student.run(probe, finite=False, **bad)
        except (StudentError, *_types(error)) as refusal:
            _require_refusal(refusal, _types(error), words)
        else:
            names = " or ".join(kind.__name__ for kind in _types(error))
            raise Disagreement(f"expected {names}, got the answer {brief(value)}")

    return refuses


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
