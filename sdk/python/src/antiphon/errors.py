"""What can go wrong. Everything that this package raises on purpose is an `AntiphonError`, except `ValueError` and
`TypeError` for arguments that cannot be meant."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Type

_PREFIX = "urn:antiphon:problem:"


class AntiphonError(Exception):
    """The base of all of this package's errors."""


class ProblemError(AntiphonError):
    """The server refused something, and said why in a problem document (RFC 9457).

    `type` is the word to decide by, like ``not-permitted``; `detail` is for people. What does not apply is None.
    """

    #: The last part of the problem's type, like ``not-permitted``.
    type: str
    #: The HTTP status that belongs to the problem, like 403.
    status: int
    #: The problem in a few words.
    title: str
    #: What to do about it.
    detail: str
    #: The parameter or member that is wrong.
    parameter: Optional[str]
    #: The name of the channel that it is about; `system` and `consumer` are its flags.
    channel: Optional[str]
    system: bool
    consumer: bool
    #: The permission that is missing, like ``publish``.
    permission: Optional[str]
    #: Where the publication is that was delivered but could not be kept.
    position: Optional[str]
    #: After how many seconds to try again, if the server says so.
    retry_after: Optional[float]

    def __init__(
        self,
        type: str,
        status: int,
        title: str = "",
        detail: str = "",
        *,
        parameter: Optional[str] = None,
        channel: Optional[str] = None,
        system: bool = False,
        consumer: bool = False,
        permission: Optional[str] = None,
        position: Optional[str] = None,
        retry_after: Optional[float] = None,
    ) -> None:
        self.type = type
        self.status = status
        self.title = title
        self.detail = detail
        self.parameter = parameter
        self.channel = channel
        self.system = system
        self.consumer = consumer
        self.permission = permission
        self.position = position
        self.retry_after = retry_after
        super().__init__(f"{status} {type}: {detail or title}")

    def __reduce__(self) -> Any:
        # Exceptions are pickled by their arguments, which would be the message alone.
        return (_rebuilt, (self.__class__, dict(self.__dict__)))

    @staticmethod
    def from_document(
        document: Mapping[str, Any], status: int = 0, retry_after: Optional[float] = None
    ) -> ProblemError:
        """Makes the error of a problem document, or of an EXP error (``code``, ``message``). Members of other types than
        they should have are passed over."""

        def text(name: str) -> Optional[str]:
            value = document.get(name)
            return value if isinstance(value, str) else None

        said = document.get("status")
        status = said if isinstance(said, int) and not isinstance(said, bool) else status
        kind = text("type") or text("code") or "unknown"
        if kind.startswith(_PREFIX):
            kind = kind[len(_PREFIX) :]
        return _class_for(kind, status)(
            kind,
            status,
            text("title") or "",
            text("detail") or text("message") or "",
            parameter=text("parameter"),
            channel=text("channel"),
            system=document.get("system") is True,
            consumer=document.get("consumer") is True,
            permission=text("permission"),
            position=text("position"),
            retry_after=retry_after,
        )


class InvalidRequestError(ProblemError):
    """The server does not understand the request (400); `parameter` names what is wrong."""


class UnauthorizedError(ProblemError):
    """The credential is missing, wrong, expired or revoked (401)."""


class NotPermittedError(ProblemError):
    """The credential, or the channel's rule, does not allow it (403); `channel` and `permission` say what."""


class NobodyCollectsError(ProblemError):
    """What was responded to collects no responses, or no more (404)."""


class ConflictError(ProblemError):
    """It contradicts something else that is there (409)."""


class TooLargeError(ProblemError):
    """It is longer than the server takes (413)."""


class RateLimitedError(ProblemError):
    """Too many publications in too short a time (429)."""


class UnavailableError(ProblemError):
    """The server, or its store, cannot at the moment (503, 507). With a `position` the publication was delivered to those
    who listen, but it is not kept."""


class UnreachableError(AntiphonError):
    """An attempt to reach the server failed below the protocol: no route, no TLS, no answer."""


class ConnectTimeoutError(AntiphonError, TimeoutError):
    """There was no connection within `connect_timeout`. Its cause says why the last attempt failed."""


class ConnectionLostError(AntiphonError):
    """The connection broke off after the request had been sent and before it was answered, and the request is none that
    may be sent twice: it may have been done or not."""

    #: The close code of the WebSocket, if there was one.
    code: Optional[int]
    #: The reason that came with it.
    reason: str

    def __init__(self, message: str, code: Optional[int] = None, reason: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason


class BroadcastInterruptedError(ConnectionLostError):
    """The connection broke off while a broadcast collected responses. Those that came are in `responses`."""

    #: The payloads that had come, in the order they came.
    responses: List[Any]

    def __init__(
        self, message: str, responses: Sequence[Any] = (), code: Optional[int] = None, reason: str = ""
    ) -> None:
        super().__init__(message, code, reason)
        self.responses = list(responses)


class RequestTimeoutError(AntiphonError, TimeoutError):
    """The server did not answer in time, reconnects included. What was asked for may have been done or not."""


class QueueFullError(AntiphonError):
    """Too much waits for an answer (`queue_max`, `queue_bytes_max`)."""


class ClosedError(AntiphonError):
    """The client was closed, or the listener cancelled."""


_BY_STATUS: Dict[int, Type[ProblemError]] = {
    400: InvalidRequestError,
    401: UnauthorizedError,
    403: NotPermittedError,
    409: ConflictError,
    413: TooLargeError,
    429: RateLimitedError,
    503: UnavailableError,
    507: UnavailableError,
}


def _class_for(kind: str, status: int) -> Type[ProblemError]:
    if kind == "nobody-collects":
        return NobodyCollectsError
    return _BY_STATUS.get(status, ProblemError)


def _rebuilt(kind: Type[ProblemError], attributes: Dict[str, Any]) -> ProblemError:
    error = kind.__new__(kind)
    error.__dict__.update(attributes)
    error.args = (f"{error.status} {error.type}: {error.detail or error.title}",)
    return error
