"""GitHub's REST API as delivery needs it; the only module that talks to it.

PyGithub carries the requests: it knows the two kinds of rate limit, pages and retries. Paths hold
numeric ids, so that a renamed repository is still the same. An answer that was kept is asked for
again with its ETag, and "304 Not Modified" costs nothing of the rate limit.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import requests
from github import Auth, Github, GithubException
from github.GithubRetry import GithubRetry
from requests.utils import parse_header_links

from autograder.errors import AutograderError
from autograder.github.answers import Answers

API = "https://api.github.com"
LONGEST_WAIT_S = 120  # for a rate limit: a job's minutes are scarce, and the next sweep is near
WRITE_PAUSE_S = 1.0  # what GitHub asks for between writes
NOBODY = "0" * 40


class GitHubError(AutograderError):
    """GitHub refused or did not answer; `status` is 0 where there was no answer."""

    def __init__(self, line: str, status: int = 0):
        """Say `line`; keep what the answer was."""
        super().__init__(line)
        self.status = status

    @property
    def is_gone(self) -> bool:
        """True where trying again is no use: deleted, switched off, taken down."""
        return self.status in (404, 410, 451)


class Repository(NamedTuple):
    """A repository as it is now; `id` is who it is, the name may change."""

    id: int
    name: str  # "course/alice"
    owner_id: int
    branch: str  # the default one
    pushed_at: str
    url: str  # to fetch from
    listed: bool  # neither archived, disabled nor a template


class Push(NamedTuple):
    """One entry of a repository's activity: the server's word on what came when."""

    before: str
    after: str
    at: datetime
    kind: str  # "push", "force_push", "branch_creation", "branch_deletion", …

    @property
    def is_empty(self) -> bool:
        """True where nothing is left on the branch."""
        return self.after == NOBODY


class Patience(GithubRetry):
    """Try again what was refused for a limit, or failed; never what may have created something."""

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        """Tell whether an answer is worth another request."""
        if method == "POST" and status_code not in (403, 429):
            return False
        return super().is_retry(method, status_code, has_retry_after)

    def increment(self, method=None, url=None, response=None, error=None, *rest, **more):
        """Count one more request, or raise what came."""
        if method == "POST" and error is not None and not self._is_connection_error(error):
            raise error
        if response is not None:
            if response.status == 429:
                response.status = 403  # GitHub uses both for its limits, PyGithub knows one
            wait = response.headers.get("Retry-After", "")
            if wait.isdecimal() and int(wait) > LONGEST_WAIT_S:
                raise GithubException(response.status, {"message": f"rate limit, wait {wait} s"})
        return super().increment(method, url, response, error, *rest, **more)


def patience(**changes: Any) -> Patience:
    """Return how long is waited for GitHub."""
    settings = {
        "total": 5,
        "backoff_factor": 0.5,
        "secondary_rate_wait": 60,
        "max_rate_limit_wait": LONGEST_WAIT_S,
        "status_forcelist": [*range(500, 600), 429],
        "allowed_methods": {"GET", "POST", "PATCH"},
    }
    return Patience(**(settings | changes))


class Client:
    """What delivery asks of GitHub and tells it."""

    def __init__(self, token: str, answers: Answers | None = None, **waits: float):
        """Use the API at GITHUB_API_URL; `waits` change how long is waited, also between writes."""
        pause = waits.pop("pause", WRITE_PAUSE_S)
        self._answers = answers or Answers(None)
        self._github = Github(
            auth=Auth.Token(token),
            base_url=os.environ.get("GITHUB_API_URL") or API,
            retry=patience(**waits),
            timeout=30,
            per_page=100,
            seconds_between_requests=0,
            seconds_between_writes=pause,
        )

    def repositories(self, organisation: str) -> list[Repository]:
        """Return all repositories of `organisation` that the app may see, last pushed first."""
        pages = self._pages(f"/orgs/{organisation}/repos", sort="pushed", direction="desc")
        return [_repository(one) for page in pages for one in page]

    def repository(self, number: int) -> Repository:
        """Return the repository with this id, whatever its name is."""
        return _repository(self._get(f"/repositories/{number}"))

    def newest_push(self, repository: Repository) -> Push | None:
        """Return what last moved the default branch; None where nothing ever did."""
        found = self._get(
            f"/repositories/{repository.id}/activity",
            ref=f"refs/heads/{repository.branch}",
            direction="desc",
            per_page=1,
        )
        return _push(found[0]) if found else None

    def pushes(self, repository: Repository) -> Iterator[Push]:
        """Yield all that moved the default branch, newest first."""
        path, ref = f"/repositories/{repository.id}/activity", f"refs/heads/{repository.branch}"
        for page in self._pages(path, ref=ref, direction="desc"):
            yield from map(_push, page)

    def check_runs(self, repository: int, commit: str, name: str, app: int) -> list[dict]:
        """Return the app's check runs of this name on a commit."""
        pages = self._pages(
            f"/repositories/{repository}/commits/{commit}/check-runs",
            check_name=name,
            filter="all",
        )
        runs = [run for page in pages for run in page["check_runs"]]
        return [run for run in runs if run["app"]["id"] == app]

    def write_check_run(self, repository: int, run: dict[str, Any], number: int | None) -> None:
        """Create a check run, or replace what the one with this number says."""
        path = f"/repositories/{repository}/check-runs"
        if number is None:
            self._ask("POST", path, body=run)
        else:
            self._ask("PATCH", f"{path}/{number}", body=run)

    def issues(self, repository: int) -> Iterator[dict[str, Any]]:
        """Yield the issues and pull requests, oldest first."""
        path = f"/repositories/{repository}/issues"
        for page in self._pages(path, state="all", sort="created", direction="asc"):
            yield from page

    def create_issue(self, repository: int, title: str, body: str) -> dict[str, Any]:
        """Open an issue."""
        return self._ask(
            "POST", f"/repositories/{repository}/issues", body={"title": title, "body": body}
        )

    def comments(self, repository: int, issue: int) -> Iterator[dict[str, Any]]:
        """Yield the comments of an issue."""
        for page in self._pages(f"/repositories/{repository}/issues/{issue}/comments"):
            yield from page

    def comment(self, repository: int, issue: int, text: str) -> None:
        """Write a new comment."""
        path = f"/repositories/{repository}/issues/{issue}/comments"
        self._ask("POST", path, body={"body": text})

    def edit_comment(self, repository: int, comment: int, text: str) -> None:
        """Replace the text of a comment."""
        path = f"/repositories/{repository}/issues/comments/{comment}"
        self._ask("PATCH", path, body={"body": text})

    def _pages(self, path: str, **parameters: Any) -> Iterator[Any]:
        place, wanted = path, parameters | {"per_page": 100}
        while place:
            data, link = self._kept(place, wanted)
            yield data
            place, wanted = _next(link), {}

    def _get(self, path: str, **parameters: Any) -> Any:
        return self._kept(path, parameters)[0]

    def _kept(self, path: str, parameters: dict[str, Any]) -> tuple[Any, str]:
        """Return the data and the Link header of a GET, asking only whether a kept one changed."""
        key = json.dumps([path, parameters], sort_keys=True)
        known = self._answers.get(key)
        headers = {"If-None-Match": known["etag"]} if known else {}
        status, came, text = self._send("GET", path, parameters, headers, None)
        if status == 304 and known:
            return known["data"], known["link"]
        data, link = json.loads(text), came.get("link", "")
        if came.get("etag"):
            self._answers.keep(key, {"etag": came["etag"], "link": link, "data": data})
        return data, link

    def _ask(self, verb: str, path: str, body: dict[str, Any]) -> Any:
        return json.loads(self._send(verb, path, {}, {}, body)[2])

    def _send(self, verb: str, path: str, parameters, headers, body) -> tuple[int, dict, str]:
        try:
            answer = self._github.requester.requestJson(verb, path, parameters, headers, body)
            status, came, text = answer
            if status >= 400:
                raise self._github.requester.createException(status, came, _parsed(text))
            return status, came, text or "null"
        except GithubException as error:
            said = error.data.get("message") if isinstance(error.data, dict) else error.data
            line = f"GitHub answered {error.status} to {verb} {path}: {str(said)[:200]}"
            limited = "rate limit" in str(said).lower()  # GitHub says 403 to that, too
            raise GitHubError(line, 429 if limited else error.status) from error
        except (requests.RequestException, OSError) as error:
            kind = type(error).__name__
            line = f"GitHub did not answer {verb} {path} ({kind}); the next sweep tries again"
            raise GitHubError(line) from error


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {"message": text[:200]}


def _next(link: str) -> str | None:
    found = parse_header_links(link) if link else []
    return next((one["url"] for one in found if one.get("rel") == "next"), None)


def _repository(data: dict[str, Any]) -> Repository:
    return Repository(
        id=data["id"],
        name=data["full_name"],
        owner_id=data["owner"]["id"],
        branch=data["default_branch"],
        pushed_at=data["pushed_at"] or "",
        url=data["clone_url"],
        listed=not (data["archived"] or data["disabled"] or data.get("is_template")),
    )


def _push(data: dict[str, Any]) -> Push:
    at = datetime.fromisoformat(data["timestamp"].replace("Z", "+00:00"))
    return Push(data["before"], data["after"], at, data["activity_type"])
