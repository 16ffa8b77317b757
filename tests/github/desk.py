"""A teacher's `gh`, against the stand-in: what INSTRUCTOR.md calls, and no word more.

The program on the PATH hands its words to this process, where the stand-in is; a repository that
is made is a bare one that git can push to, and a workflow that is started is run before it returns.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.github.course import NOBODY, Bare, git
from tests.github.standin import ORGANISATION, TOKEN, GitHub

PROGRAM = """\
#!{python}
import json, sys, urllib.request
given = sys.stdin.read() if sys.argv[1:3] == ["secret", "set"] else ""
body = json.dumps([sys.argv[1:], given]).encode()
with urllib.request.urlopen(urllib.request.Request({url!r}, data=body)) as answer:
    code, said = json.load(answer)
print(said, end="", file=sys.stderr if code else sys.stdout)
sys.exit(code)
"""
NAME = rf"{ORGANISATION}/([\w.-]+)"


class Desk:
    """What a teacher has set up by `gh`: repositories, variables, secrets, who may push."""

    def __init__(self, github: GitHub, start: Callable[[str], None]):
        """Make repositories on `github`; `start` runs a workflow by its file's name."""
        self.github, self.start = github, start
        self.variables: dict[str, str] = {}
        self.secrets: dict[str, dict[str, str]] = {}  # by environment
        self.collaborators: list[str] = []
        self.started: list[str] = []
        (github.folder / ORGANISATION).mkdir(exist_ok=True)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.desk = self
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()

    def program(self, path: Path) -> None:
        """Write `gh`."""
        url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        path.write_text(PROGRAM.format(python=sys.executable, url=url), encoding="utf-8")
        path.chmod(0o755)

    def run(self, words: list[str], given: str) -> str:
        """Do what the words say; KeyError for what `gh` of these tests does not know."""
        line = " ".join(words)
        for pattern, do in _VERBS.items():
            match = re.fullmatch(pattern, line)
            if match:
                return do(self, given, *match.groups()) or ""
        raise KeyError(line)

    def create(self, given: str, name: str, template: str | None) -> None:
        """Make a private repository, of a template if there is one."""
        bare = self.github.add(name)
        (self.github.folder / ORGANISATION / f"{name}.git").symlink_to(bare.folder)
        if template:
            source = self.named(template)
            git(source.folder, "push", "--quiet", str(bare.folder), f"{source.branch}:main")
            self.notice()

    def named(self, name: str) -> Bare:
        """Return a repository by its name."""
        return next(one for one in self.github.repositories.values() if one.name == name)

    def notice(self) -> None:
        """Enter into each activity what was pushed since, as GitHub does at once."""
        for bare in self.github.repositories.values():
            head = git(bare.folder, "for-each-ref", "--format=%(objectname)", "refs/heads/main")
            if head and head != bare.head:
                kind = "branch_creation" if bare.head == NOBODY else "push"
                bare.moved(bare.head, head, kind, None)

    def keep_variable(self, given: str, name: str, value: str) -> None:
        """Note a variable of the grader repository."""
        self.variables[name] = value

    def keep_secret(self, given: str, name: str, place: str) -> None:
        """Note a secret of an environment, which must be there."""
        self.secrets[place][name] = given

    def put(self, given: str, environment: str | None, name: str | None, user: str | None) -> None:
        """Make an environment, or let somebody push to a repository."""
        if environment:
            self.secrets[environment] = {}
        else:
            self.named(name)
            self.collaborators.append(f"{name}: {user}")

    def workflow(self, given: str, name: str) -> None:
        """Run a workflow to its end."""
        self.notice()
        self.started.append(name)
        self.start(name)

    def token(self, given: str) -> str:
        """Return the teacher's own token."""
        return f"{TOKEN}\n"

    def nothing(self, given: str, name: str) -> None:
        """Be content that it is there."""
        self.named(name)


_VERBS = {
    rf"repo create {NAME} --private(?: --template {NAME})?": Desk.create,
    rf"repo edit {NAME} --template": Desk.nothing,
    rf"variable set (\w+) --repo {ORGANISATION}/grader --body (.+)": Desk.keep_variable,
    rf"secret set (\w+) --repo {ORGANISATION}/grader --env (\w+)": Desk.keep_secret,
    rf"api --silent --method PUT repos/(?:{ORGANISATION}/grader/environments/(\w+)"
    rf"|{NAME}/collaborators/([\w-]+) -f permission=push)": Desk.put,
    rf"workflow run ([\w-]+\.yml) --repo {ORGANISATION}/grader": Desk.workflow,
    "auth token": Desk.token,
}


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:  # noqa: N802
        words, given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            answer = (0, self.server.desk.run(words, given))
        except Exception as error:  # what went wrong is for the script that called
            answer = (1, f"gh: {type(error).__name__}: {error}\n")
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""
