"""Real-time messaging with an Antiphon server: broadcasts that collect responses, publications, history, presence.

    import antiphon

    with antiphon.connect("http://127.0.0.1:8080") as exp:
        channel = exp.get_channel("testChannel")
        print(channel.broadcast("eventName", {"text": "hello?"}))

This is the blocking interface; `antiphon.aio` is the one for asyncio.
"""

from __future__ import annotations

from . import aio
from ._blocking import Channel, Client, Listener, Message, connect
from ._core.effects import Gap, State
from ._message import History, Member, Presence, Published, Response, Responses
from ._version import __version__
from .credentials import ConsumerApp, Device, User
from .errors import (
    AntiphonError,
    BroadcastInterruptedError,
    ClosedError,
    ConflictError,
    ConnectionLostError,
    ConnectTimeoutError,
    InvalidRequestError,
    NobodyCollectsError,
    NotPermittedError,
    ProblemError,
    QueueFullError,
    RateLimitedError,
    RequestTimeoutError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
    UnreachableError,
)

__all__ = [
    "AntiphonError",
    "BroadcastInterruptedError",
    "Channel",
    "Client",
    "ClosedError",
    "ConflictError",
    "ConnectTimeoutError",
    "ConnectionLostError",
    "ConsumerApp",
    "Device",
    "Gap",
    "History",
    "InvalidRequestError",
    "Listener",
    "Member",
    "Message",
    "NobodyCollectsError",
    "NotPermittedError",
    "Presence",
    "ProblemError",
    "Published",
    "QueueFullError",
    "RateLimitedError",
    "RequestTimeoutError",
    "Response",
    "Responses",
    "State",
    "TooLargeError",
    "UnauthorizedError",
    "UnavailableError",
    "UnreachableError",
    "User",
    "__version__",
    "aio",
    "connect",
]
