"""One POST with the standard library. It blocks: call it in a thread."""

from __future__ import annotations

import email.utils
import http.client
import ssl as ssl_module
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional

from ._core import wire
from ._version import USER_AGENT
from .errors import ProblemError, UnreachableError

#: No answer that is asked for here is longer (bytes).
_ANSWER_BYTES_MAX = 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """What the server answered."""

    status: int
    body: Any
    #: The server's clock, in seconds since 1970, if it says so.
    date: Optional[float]
    retry_after: Optional[float]

    def problem(self) -> ProblemError:
        """The answer as an error."""
        return problem_of(self.status, self.body, self.retry_after)


def post(
    url: str, headers: Mapping[str, str], body: bytes, timeout: float, ssl: Optional[ssl_module.SSLContext]
) -> Answer:
    """Sends a POST.

    Raises `UnreachableError` when there is no answer. Redirections are answers: a credential goes where the user said.
    """
    request = urllib.request.Request(url, data=body, method="POST")
    for name, value in {"Accept": "application/json", "User-Agent": USER_AGENT, **headers}.items():
        request.add_header(name, value)
    handlers: list[urllib.request.BaseHandler] = [_NoRedirection()]
    if ssl is not None:
        handlers.append(urllib.request.HTTPSHandler(context=ssl))
    try:
        try:
            with urllib.request.build_opener(*handlers).open(request, timeout=timeout) as answer:
                return _read(answer.status, answer.headers, answer.read(_ANSWER_BYTES_MAX))
        except urllib.error.HTTPError as error:
            with error:
                return _read(error.code, error.headers, error.read(_ANSWER_BYTES_MAX))
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise UnreachableError(f"{url} cannot be reached: {reason}") from error


def problem_of(status: int, body: Any, retry_after: Optional[float] = None) -> ProblemError:
    """The error of an HTTP answer, whatever its body is."""
    document: Dict[str, Any] = dict(body) if isinstance(body, dict) else {}
    if "detail" not in document and "message" not in document:
        document["detail"] = http.client.responses.get(status, "no answer that is expected")
    return ProblemError.from_document({**document, "status": status}, status, retry_after)


def seconds(header: Optional[str]) -> Optional[float]:
    """What `Retry-After` says, if it says seconds."""
    return float(header) if header is not None and header.isascii() and header.isdigit() else None


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _read(status: int, headers: Any, text: bytes) -> Answer:
    try:
        body = wire.parse_json(text)
    except wire.DecodeError:
        body = None
    return Answer(status, body, _date(headers["Date"]), seconds(headers["Retry-After"]))


def _date(header: Optional[str]) -> Optional[float]:
    try:
        return None if header is None else email.utils.parsedate_to_datetime(header).timestamp()
    except (TypeError, ValueError):
        return None
