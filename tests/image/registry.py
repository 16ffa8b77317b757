"""A stand-in for a container registry on loopback, in memory.

It has what a push and a pull need of the OCI distribution specification, behind a password.
"""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PASSWORD = "ghs_of_the_job"  # of any user, as GitHub's registry takes its job's token
NAME = r"/v2/([a-z0-9._/-]+)"


class Registry:
    """What was pushed, and the server that takes and gives it."""

    def __init__(self):
        """Answer on a free port of loopback."""
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}  # name and tag or digest
        self.uploads: dict[str, bytes] = {}
        self.refused = 0  # requests without the password
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.registry = self
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def digest(self, name: str) -> str:
        """Return the digest of the newest image of that name."""
        return _digest(self.manifests[name, "latest"][1])

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm, wbufsize = True, -1

    def _serve(self) -> None:
        body = self._body()
        registry, path = self.server.registry, self.path
        if self._password() != PASSWORD:
            registry.refused += 1
            self._answer(401, {"WWW-Authenticate": 'Basic realm="stand-in"'})
        elif path == "/v2/":
            self._answer(200)
        elif match := re.fullmatch(rf"{NAME}/blobs/(sha256:[0-9a-f]+)", path):
            found = registry.blobs.get(match[2])
            self._answer(200 if found is not None else 404, content=found or b"")
        elif match := re.fullmatch(rf"{NAME}/blobs/uploads/([0-9]*)(?:\?digest=(.*))?", path):
            self._upload(match[1], match[2], (match[3] or "").replace("%3A", ":"), body)
        elif match := re.fullmatch(rf"{NAME}/manifests/([\w.:-]+)", path):
            self._manifest(match[1], match[2], body)
        else:
            self._answer(404)

    def _upload(self, name: str, number: str, digest: str, body: bytes) -> None:
        uploads = self.server.registry.uploads
        number = number or str(len(uploads) + 1)
        uploads[number] = uploads.get(number, b"") + body
        headers = {"Location": f"/v2/{name}/blobs/uploads/{number}"}
        if not digest:
            last = max(len(uploads[number]) - 1, 0)
            self._answer(202, headers | {"Range": f"0-{last}", "Docker-Upload-UUID": number})
        elif _digest(uploads[number]) != digest:
            self._answer(400)
        else:
            self.server.registry.blobs[digest] = uploads[number]
            self._answer(201, {"Location": f"/v2/{name}/blobs/{digest}"})

    def _manifest(self, name: str, reference: str, body: bytes) -> None:
        manifests = self.server.registry.manifests
        if self.command == "PUT":
            kind = self.headers["Content-Type"]
            for key in (reference, _digest(body)):
                manifests[name, key] = (kind, body)
            self._answer(201, {"Docker-Content-Digest": _digest(body)})
        elif (name, reference) in manifests:
            kind, content = manifests[name, reference]
            headers = {"Content-Type": kind, "Docker-Content-Digest": _digest(content)}
            self._answer(200, headers, content)
        else:
            self._answer(404)

    def _password(self) -> str:
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        return base64.b64decode(given).decode().partition(":")[2]

    def _body(self) -> bytes:
        """Read what was sent, whole or in chunks."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _answer(self, status: int, headers: dict | None = None, content: bytes = b"") -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = _serve  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
