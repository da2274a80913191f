"""Downloading one large file over HTTP, with resuming, retries and a final check.

An unfinished download is TARGET.part. TARGET.part.json holds the ETag or Last-Modified of the server's file, so that the
download starts again, instead of mixing two versions, when the file has changed.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from tqdm import tqdm

from score_following_game import limits
from score_following_game.errors import UserError
from score_following_game.files import WriteError, file_digest, replacing
from score_following_game.reading import read_bytes

WAITS = (0.5, 1.0, 2.0)  # seconds before each retry; progress resets the count
TIMEOUT = 10.0  # seconds without any data
LARGEST = 16 * 2**30  # bytes
_CHUNK = 2**16
_TRY_AGAIN = (408, 429, 500, 502, 503, 504)
_USER_AGENT = "score-following-game"


class Unreachable(UserError):
    """The server is gone or no longer has the file, so that a retry is pointless."""


class HostUnreachable(Unreachable):
    """The server does not answer or breaks off repeatedly, so that other files on it are unreachable too."""


class _Dropped(Exception):
    """The transfer failed in a way that a retry may fix."""


class _Changed(Exception):
    """The partial file cannot be continued: start again."""


class _WebRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        _require_web(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@dataclass
class _Part:
    """A partial download: TARGET.part, and the note TARGET.part.json on its URL and the version of the file."""

    target: Path
    url: str

    @property
    def path(self) -> Path:
        return self.target.with_name(f"{self.target.name}.part")

    @property
    def note(self) -> Path:
        return self.target.with_name(f"{self.target.name}.part.json")

    @property
    def size(self) -> int:
        """Bytes downloaded so far."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def validator(self) -> str:
        """The validator of the server's file that this is a part of; "" if the download cannot be continued."""
        try:
            note = json.loads(read_bytes(self.note, limits.TABLE_FILE))
            return note["validator"] if self.size and note["url"] == self.url and isinstance(note["validator"], str) else ""
        except Exception:  # whatever is wrong with the note
            return ""

    def begin(self, validator: str) -> None:
        self.path.unlink(missing_ok=True)
        with replacing(self.note) as temporary:
            temporary.write_text(json.dumps({"url": self.url, "validator": validator}) + "\n", encoding="utf-8")

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def download(
    url: str,
    target: Path,
    sha256: str | None = None,
    *,
    largest: int = LARGEST,
    waits: Sequence[float] = WAITS,
    timeout: float = TIMEOUT,
) -> str:
    """Download `url` to `target`, continuing an earlier unfinished call. An existing target is replaced.

    sha256: expected digest, in hexadecimal. largest: bytes. waits, timeout: seconds.
    Returns the SHA-256. Raises Unreachable when the server cannot be found, does not answer or does not have the file;
    UserError for a different SHA-256, a file that is too large, or a URL that is not http(s); WriteError when the target
    cannot be written.
    """
    _require_web(url)
    part = _Part(target, url)
    try:
        _fetch_whole(part, largest, waits, timeout)
        digest = file_digest(part.path)
        if sha256 is not None and digest != sha256.lower():
            part.remove()
            raise UserError(
                f"{url}: the download has SHA-256 {digest}, expected {sha256}; it was changed or damaged, so it was not "
                "kept; try again, or fetch it from another place"
            )
        part.path.replace(target)
        part.remove()
    except OSError as error:
        raise WriteError(f"{target}: cannot be written ({error.strerror or error})") from None
    return digest


def _fetch_whole(part: _Part, largest: int, waits: Sequence[float], timeout: float) -> None:
    """Retry until the file is complete, or until len(waits) retries in a row made no progress."""
    furthest, tries = 0, 0
    while True:
        try:
            return _fetch_rest(part, largest, timeout, may_retry=furthest > 0)
        except (_Dropped, _Changed) as failure:
            if isinstance(failure, _Changed):
                part.remove()
            furthest, tries = max(furthest, part.size), 0 if part.size > furthest else tries + 1
            if tries > len(waits):
                kept = (
                    f"; {part.size / 2**20:.1f} MB are kept, and the next call continues from there" if part.validator() else ""
                )
                raise HostUnreachable(f"{part.url}: {failure}, {tries} times without progress{kept}") from None
            time.sleep(waits[tries - 1] if tries else 0)


def _fetch_rest(part: _Part, largest: int, timeout: float, may_retry: bool) -> None:
    """Send one request. may_retry: the server answered before, so a failure to reach it may be temporary."""
    validator = part.validator()
    begun = part.size if validator else 0
    headers = {"User-Agent": _USER_AGENT}
    if validator:
        headers |= {"Range": f"bytes={begun}-", "If-Range": validator}
    with _opened(urllib.request.Request(part.url, headers=headers), timeout, may_retry) as response:
        if response.status == 206 and validator:
            _require_continuation(response.headers, begun, validator)
        elif response.status == 200:
            begun = 0
            part.begin(_validator(response.headers))
        else:
            raise Unreachable(f"{part.url}: the server answered {response.status} {response.reason}")
        length = response.headers.get("Content-Length", "")
        total = begun + int(length) if length.isdecimal() and len(length) < 20 else None
        if (total or 0) > largest:
            raise UserError(f"{part.url}: {total} bytes, more than the {largest} allowed")
        with tqdm(
            total=total,
            initial=begun,
            desc=part.target.name,
            unit="B",
            unit_scale=True,
            unit_divisor=1024,
            disable=None,
            leave=False,
        ) as bar:
            _store(response, part, largest, bar)
    if total is not None and part.size < total:
        raise _Dropped(f"the connection broke off after {part.size} of {total} bytes")


def _store(response: http.client.HTTPResponse, part: _Part, largest: int, bar: tqdm) -> None:
    """Append the body of the response to the part."""
    with part.path.open("ab") as stream:
        while chunk := _read(response):
            if stream.tell() + len(chunk) > largest:
                raise UserError(f"{part.url}: more than the {largest} bytes allowed")
            stream.write(chunk)
            bar.update(len(chunk))


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _Dropped(f"the connection broke off ({_reason(error)})") from None


@contextlib.contextmanager
def _opened(request: urllib.request.Request, timeout: float, may_retry: bool) -> Iterator[http.client.HTTPResponse]:
    """The response to a request. Raises Unreachable for a permanent failure, _Dropped or _Changed for one worth a retry."""
    try:
        response = urllib.request.build_opener(_WebRedirects).open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            raise _Changed("the server's file is smaller than the part downloaded so far") from None
        kind = _Dropped if error.code in _TRY_AGAIN else Unreachable
        answer = f"the server answered {error.code} {' '.join(str(error.reason).split())}"
        raise kind(answer if kind is _Dropped else f"{request.full_url}: {answer}") from None
    except urllib.error.URLError as error:  # no such host, refused, no route, no answer, no valid certificate
        reason = error.reason if isinstance(error.reason, Exception) else error
        problem = f"{urlsplit(request.full_url).hostname} cannot be reached ({_reason(reason)})"
        if may_retry or isinstance(reason, (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)):
            raise _Dropped(problem) from None
        raise HostUnreachable(problem) from None
    except (OSError, http.client.HTTPException) as error:
        raise _Dropped(f"no valid HTTP response ({_reason(error)})") from None
    except ValueError as error:
        raise UserError(f"{request.full_url}: not a valid URL ({_reason(error)})") from None
    with response:
        yield response


def _require_continuation(headers: Message, begun: int, validator: str) -> None:
    """Raise _Changed unless a 206 response continues the same version of the file. Some servers ignore If-Range."""
    starts_right = (headers.get("Content-Range") or "").startswith(f"bytes {begun}-")
    if not starts_right or validator != _validator(headers):
        raise _Changed("the file on the server has changed")


def _validator(headers: Message) -> str:
    """The strong ETag or Last-Modified that identifies a version of the file; "" without one (a weak ETag does not)."""
    etag = headers.get("ETag") or ""
    return etag if etag.startswith('"') else headers.get("Last-Modified") or ""


def _require_web(url: str) -> None:
    """Raise UserError for a URL other than http(s)://HOST/..."""
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_web = False
    if not is_web:
        raise UserError(f"{url}: expected a URL that begins with http:// or https://")


def _reason(error: BaseException) -> str:
    """The message of an exception in one line, without the number of an OSError."""
    message = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(message.split()) or type(error).__name__
