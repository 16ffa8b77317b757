"""How every command of `autograder` is listed, and how it ends when something is wrong."""

from __future__ import annotations

import os

import click

from assignments.catalog import CatalogError
from autograder.errors import AutograderError


class Verb(click.Command):
    """A command whose first sentence is listed whole."""

    def get_short_help_str(self, limit: int = 0) -> str:
        """Return that sentence; Click would cut it off at `limit`."""
        return " ".join((self.help or "").partition("\n\n")[0].split())


class Commands(click.Group):
    """A group whose commands end in one clear line, never in a traceback."""

    command_class = Verb

    def invoke(self, ctx: click.Context):
        """Run the command; turn every failure into its line and its exit code."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except AutograderError as error:
            _fail(str(error), error.exit_code)
        except CatalogError as error:
            _fail(str(error), 2)
        except Exception as error:
            if os.environ.get("AUTOGRADER_TRACEBACK"):
                raise
            kind = type(error).__name__
            _fail(f"the grader failed: {kind}: {error} (AUTOGRADER_TRACEBACK=1 shows where)", 3)


def _fail(line: str, code: int) -> None:
    click.echo(f"autograder: {' '.join(line.split())}", err=True)
    raise click.exceptions.Exit(code)
