"""Pages from templates: each one file that asks for nothing, with a policy that allows no more."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent


def render(template: str, *, styles: tuple[str, ...], script: str = "", **facts: Any) -> bytes:
    """Return the page that `template` makes of `facts`, with these files in it."""
    from markupsafe import Markup

    style = "\n".join(_text(name) for name in ("base.css", *styles))
    code = _text(script) if script else ""
    html = (
        _environment()
        .get_template(template)
        .render(
            style=Markup(style),
            script=Markup(code),
            style_hash=_hash(style),
            script_hash=_hash(code),
            **facts,
        )
    )
    return html.encode("utf-8")


@cache
def _environment() -> Environment:
    # here, because the publisher ranks as well, and installs no more than it needs for that
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return the source expression by which a content security policy allows exactly `text`."""
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode()
    return f"'sha256-{digest}'"
