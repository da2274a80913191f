"""Fetching a file: whole, resumed, tried again, and every way a server can fail; against a real server on this machine."""

import hashlib
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from score_following_game.data_preparation.published.download import HostUnreachable, Unreachable, download
from score_following_game.errors import UserError
from score_following_game.files import WriteError

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `content` at any path but /gone and /elsewhere; misbehaves as the fields say. asked: (Range, If-Range) headers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.etag = CONTENT, '"one"'
        self.ranges, self.heeds_if_range, self.tells_length = True, True, True
        self.sends_at_most: list[int] = []  # bytes of each of the next answers, after which the connection drops
        self.answers: list[int] = []  # status of each of the next answers
        self.location = ""
        self.asked: list[tuple[str | None, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/data.bin"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, asked, state = self.server, self.headers["Range"], self.headers["If-Range"]
        server.asked.append((asked, state))
        if self.path == "/gone" or server.answers:
            self.send_error(server.answers.pop(0) if server.answers else 404)
        elif self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", server.location)
            self.end_headers()
        else:
            self.send_content(asked, state)

    def send_content(self, asked: str | None, state: str | None) -> None:
        server, begin = self.server, 0
        if asked and server.ranges and (state == server.etag or not server.heeds_if_range):
            begin = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            if begin >= len(server.content):
                return self.send_error(416)
        body = server.content[begin:]
        self.send_response(206 if begin else 200)
        if server.tells_length:
            self.send_header("Content-Length", str(len(body)))
        if server.etag:
            self.send_header("ETag", server.etag)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(server.content) - 1}/{len(server.content)}")
        self.end_headers()
        self.wfile.write(body[: server.sends_at_most.pop(0)] if server.sends_at_most else body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "data.bin"


def fetch(server: Server, target: Path, sha256: str | None = None, **options) -> str:
    return download(server.url, target, sha256, waits=(0, 0), **options)


def assert_whole(target: Path) -> None:
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_a_file_comes_whole_and_leaves_nothing_beside_it(server: Server, target: Path):
    assert fetch(server, target, SHA256.upper()) == SHA256
    assert_whole(target)
    assert server.asked == [(None, None)]


def test_a_dropped_connection_is_resumed_where_it_stopped(server: Server, target: Path):
    server.sends_at_most = [100_000, 50_000, 1, 1, 1, 1]  # more drops than waits: each brought the file further
    fetch(server, target, SHA256)
    assert_whole(target)
    assert server.asked[:3] == [(None, None), ("bytes=100000-", '"one"'), ("bytes=150000-", '"one"')]


def test_a_later_call_goes_on_from_what_an_interrupted_one_left(server: Server, target: Path):
    server.sends_at_most = [100_000, 0, 0, 0]
    with pytest.raises(HostUnreachable, match=r"after 100000 of 512000 bytes, 3 times without progress; 0\.1 MB are kept"):
        fetch(server, target)
    assert not target.exists()
    server.asked.clear()
    fetch(server, target, SHA256)
    assert_whole(target)
    assert server.asked == [("bytes=100000-", '"one"')]


@pytest.mark.parametrize("heeds_if_range", [True, False])
def test_a_file_that_changed_on_the_server_is_begun_anew(server: Server, target: Path, heeds_if_range: bool):
    server.content, server.etag, server.sends_at_most = bytes(len(CONTENT)), '"old"', [100_000, 0, 0, 0]
    with pytest.raises(Unreachable):
        fetch(server, target)
    server.content, server.etag, server.heeds_if_range = CONTENT, '"one"', heeds_if_range
    fetch(server, target)
    assert_whole(target)


@pytest.mark.parametrize("trait", [{"ranges": False}, {"etag": ""}, {"etag": 'W/"weak"'}])
def test_a_server_that_cannot_continue_is_asked_for_the_whole(server: Server, target: Path, trait: dict):
    vars(server).update(trait, sends_at_most=[100_000, 99_000])
    fetch(server, target, SHA256)
    assert_whole(target)
    assert len(server.asked) == 3
    server.sends_at_most = [100_000] * 9  # dropped at one place each time: no progress, so it ends
    with pytest.raises(HostUnreachable, match="3 times without progress"):
        fetch(server, target)


def test_a_part_longer_than_the_file_and_a_part_of_another_url_are_begun_anew(server: Server, target: Path):
    for url in (server.url, "http://example.org/other"):
        target.parent.mkdir(exist_ok=True)
        target.with_name("data.bin.part").write_bytes(bytes(len(CONTENT) + 9))
        target.with_name("data.bin.part.json").write_text(json.dumps({"url": url, "validator": '"one"'}))
        fetch(server, target)
        assert_whole(target)
    assert [asked for asked, _ in server.asked] == ["bytes=512009-", None, None]


def test_a_busy_server_is_asked_again_and_a_missing_file_is_not(server: Server, target: Path):
    server.answers = [503, 500]
    fetch(server, target, SHA256)
    assert len(server.asked) == 3
    server.answers = [503] * 3
    with pytest.raises(HostUnreachable, match="the server answered 503 Service Unavailable, 3 times"):
        fetch(server, target)
    server.asked.clear()
    with pytest.raises(Unreachable, match="/gone: the server answered 404 Not Found") as caught:
        download(server.url.replace("data.bin", "gone"), target)
    assert not isinstance(caught.value, HostUnreachable)
    assert len(server.asked) == 1


def test_another_hash_is_refused_and_not_kept(server: Server, target: Path):
    with pytest.raises(UserError, match=f"the download has SHA-256 {SHA256}, expected 0000"):
        fetch(server, target, "0" * 64)
    assert not list(target.parent.iterdir())


@pytest.mark.parametrize(
    ("tells_length", "message"),
    [(True, "512000 bytes, more than the 511999 allowed"), (False, "more than the 511999 bytes allowed")],
)
def test_a_file_larger_than_allowed_is_refused(server: Server, target: Path, tells_length: bool, message: str):
    server.tells_length = tells_length
    with pytest.raises(UserError, match=message):
        fetch(server, target, largest=len(CONTENT) - 1)
    assert not target.exists()
    fetch(server, target, largest=len(CONTENT))
    assert_whole(target)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/a", "data.bin", "http:///a", "http://[::1/a"])
def test_only_the_web_is_asked(target: Path, url: str):
    with pytest.raises(UserError, match="expected a URL that begins with http:// or https://"):
        download(url, target)


def test_redirects_stay_in_the_web(server: Server, target: Path):
    elsewhere = server.url.replace("data.bin", "elsewhere")
    server.location = server.url
    assert download(elsewhere, target) == SHA256
    for location, message in (("file:///etc/passwd", "not allowed"), ("ftp://127.0.0.1/a", "begins with http")):
        server.location = location
        target.unlink(missing_ok=True)
        with pytest.raises(UserError, match=message):
            download(elsewhere, target)
        assert not target.exists()


def test_a_host_that_is_not_there_is_reported_at_once(target: Path):
    with socket.socket() as taken:  # bound, not listening: refuses
        taken.bind(("127.0.0.1", 0))
        began = time.monotonic()
        with pytest.raises(HostUnreachable, match=r"127\.0\.0\.1 cannot be reached \(Connection refused\)$"):
            download(f"http://127.0.0.1:{taken.getsockname()[1]}/a", target)
    with pytest.raises(HostUnreachable, match=r"no-such-host\.invalid cannot be reached"):
        download("http://no-such-host.invalid/a", target)
    assert time.monotonic() - began < 10


def test_a_silent_server_is_given_up(target: Path):
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(HostUnreachable, match="timed out"):
        download(f"http://127.0.0.1:{silent.getsockname()[1]}/a", target, waits=(0,), timeout=0.1)


def test_a_target_that_cannot_be_written(server: Server, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match="cannot be written"):
        fetch(server, tmp_path / "file" / "data.bin")
