"""A stand-in for GitHub's REST API on loopback, as its documentation says it behaves.

Pages with Link headers, ETags and 304, activity by cursor, both rate limits, failing servers,
check runs with at most 50 annotations, issues and comments with the app that wrote them. Whatever
is asked is written down, so that tests can count.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.github.course import Bare

APP, STRANGER = 77, 15368  # ids of apps: the grader's own, and GitHub Actions'
TOKEN = "ghs_standin"
ORGANISATION = "course"


class Refusal(Exception):
    """An answer that is none of the wanted: a status, a message, headers."""

    def __init__(self, status: int, message: str, **headers: str):
        super().__init__(status, message, headers)


class GitHub:
    """The state of a small GitHub, and the server that answers for it."""

    def __init__(self, folder: Path):
        """Keep bare repositories in `folder`; answer on a free port of loopback."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.repositories: dict[int, Bare] = {}
        self.checks: dict[int, list[dict]] = {}
        self.issue_lists: dict[int, list[dict]] = {}
        self.comment_lists: dict[tuple[int, int], list[dict]] = {}
        self.calls: list[tuple[str, str, int]] = []  # verb, path, status
        self.faults: list[Callable[[str, str], Refusal | None]] = []
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.github = self
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()

    def add(self, name: str) -> Bare:
        """Give a student a repository."""
        number = 1000 + len(self.checks)
        bare = Bare(self.folder / f"{number}.git", number, name)
        self.repositories[number], self.checks[number] = bare, []
        self.issue_lists[number] = []
        return bare

    def fail(self, times: int, refusal: Refusal, verb: str = "", path: str = "") -> None:
        """Refuse the next so many requests whose verb and path begin or contain so."""
        left = [times]

        def fault(asked_verb: str, asked_path: str) -> Refusal | None:
            if left[0] and verb in asked_verb and path in asked_path:
                left[0] -= 1
                return refusal
            return None

        self.faults.append(fault)

    def count(self, verb: str = "", path: str = "", status: int | None = None) -> int:
        """Count the requests that came."""
        return sum(
            verb in one and path in two and status in (None, three)
            for one, two, three in self.calls
        )

    def answer(self, verb: str, path: str, query: dict, body: Any) -> tuple[int, Any, dict]:
        """Return status, document and headers."""
        for fault in self.faults:
            refusal = fault(verb, path)
            if refusal is not None:
                raise refusal
        for pattern, wanted, handler in _ROUTES:
            match = re.fullmatch(pattern, path)
            if match and verb == wanted:
                return handler(self, *map(_number, match.groups()), query=query, body=body)
        raise Refusal(404, "Not Found")

    def bare(self, number: int) -> Bare:
        """Return a repository that exists."""
        if number not in self.repositories:
            raise Refusal(404, "Not Found")
        return self.repositories[number]

    def organisation(self, name: str, query: dict, body: Any):
        """`GET /orgs/{org}/repos`."""
        if name != ORGANISATION:
            raise Refusal(404, "Not Found")
        found = sorted(self.repositories.values(), key=lambda one: one.pushed_at or "")
        found = found[::-1] if query.get("direction") != "asc" else found
        return self.page(f"/orgs/{name}/repos", [self.shown(one) for one in found], query)

    def repository(self, number: int, query: dict, body: Any):
        """`GET /repositories/{id}`."""
        return 200, self.shown(self.bare(number)), {}

    def shown(self, bare: Bare) -> dict:
        """Return a repository as the API shows it."""
        return {
            "id": bare.id,
            "name": bare.name,
            "full_name": f"{ORGANISATION}/{bare.name}",
            "owner": {"login": ORGANISATION, "id": 9, "type": "Organization"},
            "private": True,
            "archived": bare.archived,
            "disabled": False,
            "is_template": False,
            "default_branch": bare.branch,
            "pushed_at": bare.pushed_at,
            "clone_url": f"file://{bare.folder}",
        }

    def activity(self, number: int, query: dict, body: Any):
        """`GET /repositories/{id}/activity`, by cursor."""
        wanted = query.get("ref")
        found = [one for one in self.bare(number).activity if wanted in (None, one["ref"])]
        start, size = int(query.get("after", 0)), min(int(query.get("per_page", 30)), 100)
        more = {**query, "after": start + size}
        headers = {}
        if start + size < len(found):
            url = f"{self.url}/repositories/{number}/activity?{urlencode(more)}"
            headers["Link"] = f'<{url}>; rel="next"'
        return 200, found[start : start + size], headers

    def page(self, path: str, items: list, query: dict, name: str | None = None):
        """Return one page of a list, with the way to the next."""
        number, size = int(query.get("page", 1)), min(int(query.get("per_page", 30)), 100)
        part = items[(number - 1) * size : number * size]
        headers = {}
        if number * size < len(items):
            more = urlencode({**query, "page": number + 1})
            headers["Link"] = f'<{self.url}{path}?{more}>; rel="next", <{self.url}>; rel="last"'
        return 200, {"total_count": len(items), name: part} if name else part, headers

    def check_runs(self, number: int, commit: str, query: dict, body: Any):
        """`GET …/commits/{ref}/check-runs`."""
        self.bare(number)
        runs = [one for one in self.checks[number] if one["head_sha"] == commit]
        runs = [one for one in runs if one["name"] == query.get("check_name", one["name"])]
        path = f"/repositories/{number}/commits/{commit}/check-runs"
        return self.page(path, runs, query, "check_runs")

    def create_check_run(self, number: int, query: dict, body: Any):
        """`POST …/check-runs`."""
        bare = self.bare(number)
        if not any(body["head_sha"] == one["after"] for one in bare.activity):
            raise Refusal(422, f"No commit found for SHA: {body['head_sha']}")
        _check_output(body)
        run = {"id": sum(map(len, self.checks.values())) + 1, "app": {"id": APP}, **body}
        self.checks[number].append(run)
        return 201, run, {}

    def update_check_run(self, number: int, run: int, query: dict, body: Any):
        """`PATCH …/check-runs/{id}`."""
        self.bare(number)
        _check_output(body)
        found = next((one for one in self.checks[number] if one["id"] == run), None)
        if found is None:
            raise Refusal(404, "Not Found")
        found.update(body)
        return 200, found, {}

    def issues(self, number: int, query: dict, body: Any):
        """`GET …/issues`."""
        self.bare(number)
        return self.page(f"/repositories/{number}/issues", self.issue_lists[number], query)

    def create_issue(self, number: int, query: dict, body: Any, app: int = APP):
        """`POST …/issues`."""
        self.bare(number)
        issue = {"number": len(self.issue_lists[number]) + 1, **body}
        issue["performed_via_github_app"] = {"id": app}
        self.issue_lists[number].append(issue)
        return 201, issue, {}

    def comments(self, number: int, issue: int, query: dict, body: Any):
        """`GET …/issues/{n}/comments`."""
        self.bare(number)
        found = self.comment_lists.get((number, issue), [])
        return self.page(f"/repositories/{number}/issues/{issue}/comments", found, query)

    def create_comment(self, number: int, issue: int, query: dict, body: Any, app: int = APP):
        """`POST …/issues/{n}/comments`."""
        self.bare(number)
        _check_body(body)
        count = sum(map(len, self.comment_lists.values()))
        comment = {"id": count + 1, **body, "performed_via_github_app": {"id": app}}
        self.comment_lists.setdefault((number, issue), []).append(comment)
        return 201, comment, {}

    def edit_comment(self, number: int, comment: int, query: dict, body: Any):
        """`PATCH …/issues/comments/{id}`."""
        self.bare(number)
        _check_body(body)
        for (repository, _), found in self.comment_lists.items():
            for one in found:
                if repository == number and one["id"] == comment:
                    one.update(body)
                    return 200, one, {}
        raise Refusal(404, "Not Found")


def _check_body(body: dict) -> None:
    if len(body["body"]) > 65_536:
        raise Refusal(422, "Body is too long (maximum is 65536 characters)")


def _check_output(body: dict) -> None:
    output = body.get("output", {})
    if len(output.get("annotations", [])) > 50:
        raise Refusal(422, "annotations exceeds a maximum quantity of 50")
    if len(output.get("summary", "")) > 65_535 or len(output.get("text", "")) > 65_535:
        raise Refusal(422, "Only 65535 characters are allowed")
    for one in output.get("annotations", []):
        assert set(one) >= {"path", "start_line", "end_line", "annotation_level", "message"}
        assert one["annotation_level"] in ("notice", "warning", "failure")


_ID, _WORD = r"/repositories/(\d+)", r"([\w.-]+)"
_ROUTES = [
    (rf"/orgs/{_WORD}/repos", "GET", GitHub.organisation),
    (_ID, "GET", GitHub.repository),
    (rf"{_ID}/activity", "GET", GitHub.activity),
    (rf"{_ID}/commits/{_WORD}/check-runs", "GET", GitHub.check_runs),
    (rf"{_ID}/check-runs", "POST", GitHub.create_check_run),
    (rf"{_ID}/check-runs/(\d+)", "PATCH", GitHub.update_check_run),
    (rf"{_ID}/issues", "GET", GitHub.issues),
    (rf"{_ID}/issues", "POST", GitHub.create_issue),
    (rf"{_ID}/issues/(\d+)/comments", "GET", GitHub.comments),
    (rf"{_ID}/issues/(\d+)/comments", "POST", GitHub.create_comment),
    (rf"{_ID}/issues/comments/(\d+)", "PATCH", GitHub.edit_comment),
]


def _number(text: str) -> int | str:
    return int(text) if text.isdecimal() and len(text) < 20 else text


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm, wbufsize = True, -1  # else each answer waits for an acknowledgement

    def _serve(self) -> None:
        github, parts = self.server.github, urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"null")
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        with github.lock:
            status, document, headers = self._answer(github, parts.path, query, body)
            content = json.dumps(document).encode()
            etag = f'W/"{hashlib.sha256(content + str(headers).encode()).hexdigest()}"'
            if self.command == "GET" and status == 200:
                headers = {**headers, "ETag": etag}
                if self.headers.get("If-None-Match") == etag:
                    status, content = 304, b""
            github.calls.append((self.command, parts.path, status))
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if status != 304:
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _answer(self, github: GitHub, path: str, query: dict, body: Any):
        try:
            if self.headers.get("Authorization") not in (f"token {TOKEN}", f"Bearer {TOKEN}"):
                raise Refusal(401, "Bad credentials")
            return github.answer(self.command, path, query, body)
        except Refusal as refusal:
            status, message, headers = refusal.args
            return status, {"message": message}, dict(headers)

    do_GET = do_POST = do_PATCH = _serve  # noqa: N815

    def log_message(self, *arguments: Any) -> None:
        """Print nothing."""
