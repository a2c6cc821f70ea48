"""What a driver is asked to do. Requests and listeners are told apart by the numbers that the core gave them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Optional, Union

from ..errors import AntiphonError
from .channel import ChannelKey
from .wire import Publication


class State(str, Enum):
    """Where a client stands."""

    #: On the way to a connection, the first or another.
    CONNECTING = "connecting"
    #: Connected; requests are answered.
    ONLINE = "online"
    #: Over, by `close` or by an error that trying again does not mend.
    CLOSED = "closed"


@dataclass(frozen=True)
class Connect:
    """Open the WebSocket number `connection`, with this token if there is one."""

    connection: int
    token: Optional[str]


@dataclass(frozen=True)
class Send:
    """Send a text message on the connection that is open."""

    text: str


@dataclass(frozen=True)
class Disconnect:
    """Close the WebSocket number `connection`, or stop opening it."""

    connection: int


@dataclass(frozen=True)
class FetchToken:
    """Get a token: another one for `previous` while that is valid, or by a login."""

    previous: Optional[str]


@dataclass(frozen=True)
class Resolve:
    """The request is done, with this result."""

    request: int
    value: Any


@dataclass(frozen=True)
class Fail:
    """The request is not done, or nobody knows."""

    request: int
    error: AntiphonError


@dataclass(frozen=True)
class Listening:
    """The listener has its subscription."""

    listener: int


@dataclass(frozen=True)
class Deliver:
    """Something came for the listener."""

    listener: int
    publication: Publication


@dataclass(frozen=True)
class Gap:
    """Messages of `channel` after `since` and before `resumed` are lost, in part or all: they are no longer kept."""

    channel: ChannelKey
    since: str
    resumed: str


@dataclass(frozen=True)
class TellGap:
    """The listener missed something."""

    listener: int
    gap: Gap


@dataclass(frozen=True)
class EndListener:
    """Nothing more comes for the listener."""

    listener: int
    error: AntiphonError


@dataclass(frozen=True)
class StateChanged:
    """The client stands elsewhere; `error` says why it left where it stood, and `delay` when it tries again (seconds)."""

    state: State
    error: Optional[AntiphonError] = None
    delay: Optional[float] = None


Effect = Union[
    Connect,
    Send,
    Disconnect,
    FetchToken,
    Resolve,
    Fail,
    Listening,
    Deliver,
    TellGap,
    EndListener,
    StateChanged,
]
