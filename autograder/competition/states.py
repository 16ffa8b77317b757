"""How far a result can be trusted, and how it may change: nothing is ever deleted.

    self-run ─► ci ─► verified      practised; measured by the grader; again in the final
         └──────┴─────────┴─► disputed ─► verified | withdrawn

`self-run` is never ranked: whoever ran it could have written it.
"""

from __future__ import annotations

SELF_RUN, CI, VERIFIED = "self-run", "ci", "verified"
DISPUTED, WITHDRAWN = "disputed", "withdrawn"
STATES = (SELF_RUN, CI, VERIFIED, DISPUTED, WITHDRAWN)
RANKED = frozenset({CI, VERIFIED})
_NEXT = {
    SELF_RUN: {CI, DISPUTED, WITHDRAWN},
    CI: {VERIFIED, DISPUTED, WITHDRAWN},
    VERIFIED: {DISPUTED, WITHDRAWN},
    DISPUTED: {VERIFIED, WITHDRAWN},
    WITHDRAWN: set(),
}


def measured(isolation: str, final: bool) -> str:
    """Return the state of a result that the grader measured: in the final, or before."""
    if isolation != "full":
        return SELF_RUN
    return VERIFIED if final else CI


def advance(state: str, to: str) -> str:
    """Return the state `to`; ValueError where no result goes there from `state`."""
    if to not in _NEXT[state]:
        choice = ", ".join(sorted(_NEXT[state])) or "nothing: it stays"
        raise ValueError(f"a result that is {state} cannot become {to}; expected {choice}")
    return to
