"""Fetching one large file over HTTP: resumed where it stopped, tried again where the line drops, checked at the end.

While it comes it is TARGET.part; TARGET.part.json tells of which state of the server's file (ETag or Last-Modified), so that
a file that changed meanwhile is begun anew, not patched together.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from tqdm import tqdm

from score_following_game.errors import UserError
from score_following_game.files import WriteError, file_digest, replacing

WAITS = (0.5, 1.0, 2.0)  # seconds before each further try; counted anew whenever more of the file has come
TIMEOUT = 10.0  # seconds without an answer or without a byte
LARGEST = 16 * 2**30  # bytes
_CHUNK = 2**16
_TRY_AGAIN = (408, 429, 500, 502, 503, 504)
_USER_AGENT = "score-following-game"


class Unreachable(UserError):
    """The server is gone, or it has the file no more: what is to be had from it must be had in another way."""


class HostUnreachable(Unreachable):
    """Not this file only: the server does not answer, or breaks off again and again."""


class _Dropped(Exception):
    """The transfer failed in a way that another try may mend."""


class _Changed(Exception):
    """What there is of the file cannot be continued: begin anew."""


class _WebRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        _require_web(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@dataclass
class _Part:
    """The beginning of a file: TARGET.part, and beside it which state of which URL it is the beginning of."""

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
        """Bytes there are."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def validator(self) -> str:
        """The state of the server's file that this is part of; "" when it cannot be continued."""
        try:
            note = json.loads(self.note.read_text(encoding="utf-8"))
            return note["validator"] if self.size and note["url"] == self.url and isinstance(note["validator"], str) else ""
        except (OSError, ValueError, KeyError, TypeError):
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
    """Fetch `url` to `target`, going on where an earlier call stopped -> its SHA-256. An existing target is replaced.

    sha256: what it must be, in hexadecimal. largest: bytes. waits, timeout: seconds. Raises Unreachable when the server
    cannot be found, does not answer or has no such file; UserError for another SHA-256, a file too large, a URL that is
    no http(s); WriteError where the target cannot be written.
    """
    _require_web(url)
    part = _Part(target, url)
    try:
        _fetch_whole(part, largest, waits, timeout)
        digest = file_digest(part.path)
        if sha256 is not None and digest != sha256.lower():
            part.remove()
            raise UserError(
                f"{url}: what came has SHA-256 {digest}, wanted {sha256}; it was changed or damaged, so it was not "
                "kept; try again, or get it from another place"
            )
        part.path.replace(target)
        part.remove()
    except OSError as error:
        raise WriteError(f"{target}: cannot be written ({error.strerror or error})") from None
    return digest


def _fetch_whole(part: _Part, largest: int, waits: Sequence[float], timeout: float) -> None:
    """Try until the whole file is there, or as many tries as there are waits have brought no more of it."""
    furthest, tries = 0, 0
    while True:
        try:
            return _fetch_rest(part, largest, timeout, may_retry=furthest > 0)
        except (_Dropped, _Changed) as failure:
            if isinstance(failure, _Changed):
                part.remove()
            furthest, tries = max(furthest, part.size), 0 if part.size > furthest else tries + 1
            if tries > len(waits):
                kept = f"; {part.size / 2**20:.1f} MB are kept, and the next try goes on from there" if part.validator() else ""
                raise HostUnreachable(f"{part.url}: {failure}, {tries} times without progress{kept}") from None
            time.sleep(waits[tries - 1] if tries else 0)


def _fetch_rest(part: _Part, largest: int, timeout: float, may_retry: bool) -> None:
    """One request. may_retry: the server was there a moment ago, so failing to reach it may pass."""
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
    """Append the answer's body to the part."""
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
    """The answer to a request, failures told apart: gone, or worth another try."""
    try:
        response = urllib.request.build_opener(_WebRedirects).open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            raise _Changed("the server has less of the file than is here") from None
        kind = _Dropped if error.code in _TRY_AGAIN else Unreachable
        answer = f"the server answered {error.code} {' '.join(str(error.reason).split())}"
        raise kind(answer if kind is _Dropped else f"{request.full_url}: {answer}") from None
    except urllib.error.URLError as error:  # no such host, refused, no route, no answer, no valid certificate
        reason = error.reason if isinstance(error.reason, Exception) else error
        told = f"{urlsplit(request.full_url).hostname} is not reached ({_reason(reason)})"
        if may_retry or isinstance(reason, (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)):
            raise _Dropped(told) from None
        raise HostUnreachable(told) from None
    except (OSError, http.client.HTTPException) as error:
        raise _Dropped(f"no proper answer ({_reason(error)})") from None
    except ValueError as error:
        raise UserError(f"{request.full_url}: not a URL that can be asked for ({_reason(error)})") from None
    with response:
        yield response


def _require_continuation(headers: Mapping[str, str], begun: int, validator: str) -> None:
    """Does a 206 continue the very file there is a part of? Some servers send a range whatever If-Range says."""
    starts_right = (headers.get("Content-Range") or "").startswith(f"bytes {begun}-")
    if not starts_right or validator != _validator(headers):
        raise _Changed("the file on the server has changed")


def _validator(headers: Mapping[str, str]) -> str:
    """What tells one state of the server's file from another; "" where nothing does so for sure (a weak ETag does not)."""
    etag = headers.get("ETag") or ""
    return etag if etag.startswith('"') else headers.get("Last-Modified") or ""


def _require_web(url: str) -> None:
    """Raises UserError for all but http(s)://HOST/..."""
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_web = False
    if not is_web:
        raise UserError(f"{url}: wanted a URL that begins with http:// or https://")


def _reason(error: BaseException) -> str:
    """A system's own words in one line, without its error number."""
    told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(told.split()) or type(error).__name__
