"""Downloads against a real server that cuts, lies, hangs and forgets: no half file gets a name."""

import hashlib
import importlib.util
import re
import subprocess
import sys
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tinytorch.dataloader import CIFAR10, MNIST

SCRIPT = Path(__file__).resolve().parents[2] / "milestones" / "download.py"
_spec = importlib.util.spec_from_file_location("download", SCRIPT)
download = importlib.util.module_from_spec(_spec)
sys.modules["download"] = download  # dataclasses look their module up
_spec.loader.exec_module(download)

CONTENT = bytes(range(256)) * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Answers each request as the next of the server's plans says."""

    def do_GET(self):
        """Send the content from where it is asked for, in full or otherwise."""
        server, asked = self.server, self.headers.get("Range")
        server.asked.append(asked)
        plan = server.plans.pop(0) if server.plans else {}
        if "status" in plan:
            return self.send_error(plan["status"])
        if "hang" in plan:
            return server.release.wait(10)
        body, start = plan.get("content", CONTENT), 0
        if asked and not plan.get("forgets"):
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) + plan.get("shift", 0)
            if start >= len(body):
                return self.send_error(416)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        if not plan.get("endless"):
            self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        try:
            for _ in range(plan.get("endless", 1)):
                self.wfile.write(body[start:][: plan.get("cut")])
                server.sent += 1
        except ConnectionError:  # the client has had enough
            self.close_connection = True

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def server(monkeypatch):
    """A server on this machine, with a list of plans and the ranges that were asked for."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(download, "PAUSE_S", 0)
    one = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    one.daemon_threads = True
    one.plans, one.asked, one.sent, one.release = [], [], 0, threading.Event()
    one.url = f"http://127.0.0.1:{one.server_address[1]}/"
    thread = threading.Thread(target=partial(one.serve_forever, poll_interval=0.01))
    thread.start()
    yield one
    one.release.set()
    one.shutdown()
    thread.join()
    one.server_close()


def file(server, *, sha256=DIGEST, mirrors=None):
    """The file that the server has."""
    return download.File("x.bin", len(CONTENT), sha256, mirrors or (server.url,))


def names(folder):
    """What is in the folder."""
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_whole_under_its_name_and_progress_is_told(server, tmp_path):
    """The callback hears of every size up to the last, and no part is left."""
    seen = []
    path = download.download(file(server), tmp_path / "data", seen.append)
    assert path.read_bytes() == CONTENT
    assert names(tmp_path / "data") == ["x.bin"]
    assert (seen[0], seen[-1], seen) == (0, len(CONTENT), sorted(seen))
    assert len(set(seen)) > 3
    assert server.asked == [None]


def test_a_file_that_is_there_is_verified_and_not_asked_for(server, tmp_path):
    """A second run costs a checksum, and names a file that is not what it should be."""
    (tmp_path / "x.bin").write_bytes(CONTENT)
    assert download.download(file(server), tmp_path) == tmp_path / "x.bin"
    (tmp_path / "x.bin").write_bytes(CONTENT[:-1])
    with pytest.raises(download.DownloadError, match="x.bin: expected SHA-256 .* remove it and"):
        download.download(file(server), tmp_path)
    assert (tmp_path / "x.bin").read_bytes() == CONTENT[:-1]
    assert server.asked == []


def test_a_connection_that_breaks_is_taken_up_where_it_broke(server, tmp_path):
    """Each request asks only for what is missing."""
    server.plans = [{"cut": 100_000}, {"cut": 7}, {}]
    assert download.download(file(server), tmp_path).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-", "bytes=100007-"]


def test_a_run_goes_on_where_the_last_one_was_stopped(server, tmp_path):
    """The part of an earlier run is used, and is not trusted more than the rest."""
    (tmp_path / "x.bin.part").write_bytes(CONTENT[:255_000])
    assert download.download(file(server), tmp_path).read_bytes() == CONTENT
    assert server.asked == ["bytes=255000-"]
    assert names(tmp_path) == ["x.bin"]


def test_a_part_that_is_whole_needs_no_server(tmp_path):
    """The last run was stopped between the last byte and the name."""
    (tmp_path / "x.bin.part").write_bytes(CONTENT)
    one = download.File("x.bin", len(CONTENT), DIGEST, ("http://127.0.0.1:1/",))
    assert download.download(one, tmp_path).read_bytes() == CONTENT


def test_a_server_without_ranges_sends_all_of_it_anew(server, tmp_path):
    """An answer that begins at 0 is not appended to what is there."""
    (tmp_path / "x.bin.part").write_bytes(b"old" * 1000)
    server.plans = [{"forgets": True}]
    assert download.download(file(server), tmp_path).read_bytes() == CONTENT


def test_after_some_attempts_that_bring_nothing_it_gives_up_and_keeps_the_part(server, tmp_path):
    """One line says how much came; the part waits for the next run."""
    server.plans = [{"cut": 1000}] + [{"cut": 0}] * 20
    with pytest.raises(download.DownloadError) as refusal:
        download.download(file(server), tmp_path)
    assert str(refusal.value) == (
        f"x.bin: the connection broke, 1,000 of 256,000 bytes came from {server.url}x.bin: "
        "run again, it goes on from there"
    )
    assert len(server.asked) == 1 + download.ATTEMPTS
    assert names(tmp_path) == ["x.bin.part"]
    server.plans = []
    assert download.download(file(server), tmp_path).read_bytes() == CONTENT


def test_a_server_that_forgets_ranges_and_cuts_is_not_asked_for_ever(server, tmp_path):
    """Ups and downs are no progress: only more than ever before is."""
    server.plans = [{"cut": n, "forgets": True} for n in (10, 900, 800, 850) * 9]
    with pytest.raises(download.DownloadError, match="the connection broke"):
        download.download(file(server), tmp_path)
    assert len(server.asked) == 2 + download.ATTEMPTS


def test_a_lying_server_is_found_out_and_nothing_keeps_its_bytes(server, tmp_path):
    """As many bytes as expected, but others: no file, no part, both checksums named."""
    lie = CONTENT[:-1] + b"!"
    server.plans = [{"content": lie}]
    with pytest.raises(download.DownloadError) as refusal:
        download.download(file(server), tmp_path)
    came = hashlib.sha256(lie).hexdigest()
    expected = f"x.bin.part: expected SHA-256 {DIGEST}, came {came}: run again"
    assert str(refusal.value).startswith(expected)
    assert "\n" not in str(refusal.value)
    assert names(tmp_path) == []


def test_a_spoiled_part_does_not_spoil_the_next_run(server, tmp_path):
    """The wrong bytes are thrown away, so that running again helps."""
    (tmp_path / "x.bin.part").write_bytes(b"?" * 1000)
    with pytest.raises(download.DownloadError, match="expected SHA-256"):
        download.download(file(server), tmp_path)
    assert download.download(file(server), tmp_path).read_bytes() == CONTENT


def test_the_next_mirror_helps_where_one_fails(server, tmp_path):
    """A missing file, a lie: the second mirror has what the first has not."""
    for plan in ({"status": 404}, {"content": b"!" * len(CONTENT)}):
        server.plans = [plan]
        folder = tmp_path / str(server.asked)
        one = file(server, mirrors=(server.url + "first/", server.url))
        assert download.download(one, folder).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("plan", "words", "requests"),
    [
        ({"status": 404}, "the server answers 404 Not Found, 0 of 256,000 bytes", 1),
        ({"status": 503}, "the server answers 503 Service Unavailable", download.ATTEMPTS),
        ({"content": CONTENT + b"!"}, "expected 256,000 bytes, more came from", 1),
    ],
    ids=["missing", "overloaded", "too long"],
)
def test_what_a_server_does_wrong_is_said_in_one_line(server, tmp_path, plan, words, requests):
    """And nothing is left under the file's name."""
    server.plans = [plan] * 20
    with pytest.raises(download.DownloadError, match=words) as refusal:
        download.download(file(server), tmp_path)
    assert "\n" not in str(refusal.value)
    assert names(tmp_path) == []
    assert len(server.asked) == requests


def test_a_server_that_never_ends_is_left(server, tmp_path):
    """No disk is filled by what is longer than the file."""
    server.plans = [{"endless": 1000}]
    with pytest.raises(download.DownloadError, match="expected 256,000 bytes, more came from"):
        download.download(file(server), tmp_path)
    assert names(tmp_path) == []
    assert server.sent < 1000


@pytest.mark.parametrize(
    ("plan", "words", "left"),
    [
        ({"shift": 5}, "asked for bytes 1000-, came bytes 1005-", ["x.bin.part"]),
        ({"content": CONTENT[:500]}, "answers 416", []),
    ],
    ids=["another range", "another file"],
)
def test_an_answer_that_does_not_fit_the_part_is_refused(server, tmp_path, plan, words, left):
    """Bytes are never glued together that do not belong together."""
    (tmp_path / "x.bin.part").write_bytes(CONTENT[:1000])
    server.plans = [plan]
    with pytest.raises(download.DownloadError, match=words):
        download.download(file(server), tmp_path)
    assert names(tmp_path) == left


def test_a_part_that_is_too_long_is_begun_anew(server, tmp_path):
    """It is the part of another file."""
    (tmp_path / "x.bin.part").write_bytes(b"?" * (len(CONTENT) + 1))
    assert download.download(file(server), tmp_path).read_bytes() == CONTENT
    assert server.asked == [None]


def test_a_server_that_hangs_is_left_after_the_timeout(server, tmp_path, monkeypatch):
    """No request waits for ever."""
    monkeypatch.setattr(download, "TIMEOUT_S", 0.05)
    server.plans = [{"hang": True}, {}]
    assert download.download(file(server), tmp_path).read_bytes() == CONTENT
    server.plans = [{"hang": True}] * 20
    with pytest.raises(download.DownloadError, match="timed out"):
        download.download(file(server), tmp_path / "again")


def test_a_machine_without_a_network_is_told_so(tmp_path, monkeypatch):
    """A refused connection is one line too."""
    monkeypatch.setattr(download, "PAUSE_S", 0)
    one = download.File("x.bin", 1, DIGEST, ("http://127.0.0.1:1/",))
    with pytest.raises(download.DownloadError, match="x.bin: .*refused.*0 of 1 bytes"):
        download.download(one, tmp_path)


def test_the_command_shows_the_files_and_ends_with_0(server, tmp_path, monkeypatch, capsys):
    """Each file has a line of its own."""
    monkeypatch.setitem(download.DATA, "mnist", (file(server),))
    assert download.main(["mnist", str(tmp_path)]) == 0
    assert "x.bin" in capsys.readouterr().out
    assert names(tmp_path) == ["x.bin"]


def test_the_command_says_what_failed_in_one_line_and_ends_with_1(
    server, tmp_path, monkeypatch, capsys
):
    """No traceback for what is nobody's mistake here."""
    monkeypatch.setitem(download.DATA, "mnist", (file(server, sha256="0" * 64),))
    assert download.main(["mnist", str(tmp_path)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and "expected SHA-256 000" in lines[0]


def test_ctrl_c_keeps_the_part(server, tmp_path, monkeypatch, capsys):
    """The next run goes on from there."""

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "download", interrupt)
    assert download.main(["mnist", str(tmp_path)]) == 130
    assert "run again" in capsys.readouterr().err


def test_it_is_a_script_that_explains_itself():
    """Students run it as a file, without the course installed."""
    run = subprocess.run(
        [sys.executable, str(SCRIPT), "--help"], capture_output=True, encoding="utf-8", check=True
    )
    assert "{cifar10,mnist,shakespeare}" in run.stdout
    wrong = subprocess.run([sys.executable, str(SCRIPT), "imagenet"], capture_output=True)
    assert wrong.returncode == 2


def test_it_fetches_what_the_readers_read():
    """The names are those that MNIST and CIFAR10 look for."""
    names = {one.name for one in download.DATA["mnist"]}
    assert names == {f"{name}-ubyte.gz" for name in MNIST.SHA256}
    (archive,) = download.DATA["cifar10"]
    assert (archive.name, archive.sha256) == (CIFAR10.ARCHIVE, CIFAR10.SHA256)


def test_a_file_may_have_another_name_on_the_web(server, tmp_path, monkeypatch):
    """It gets its own here: Tiny Shakespeare is published as input.txt."""
    asked = []
    monkeypatch.setattr(Handler, "log_message", lambda self, *_: asked.append(self.path))
    one = download.File("own.txt", len(CONTENT), DIGEST, (server.url,), published_as="input.txt")
    assert download.download(one, tmp_path).read_bytes() == CONTENT
    assert (asked, names(tmp_path)) == (["/input.txt"], ["own.txt"])
