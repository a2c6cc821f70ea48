"""What a listener gets, and what the other calls give back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, List, Optional, Sequence, TypeVar

from ._core.wire import Publication
from .errors import AntiphonError


class BaseMessage:
    """A message that came on a channel. The keys of its payload can be had by index: ``message["text"]``."""

    __slots__ = ("_publication",)
    # Indexing is for the payload's members; it does not make the message a sequence of them.
    __iter__ = None

    def __init__(self, publication: Publication) -> None:
        self._publication = publication

    @property
    def payload(self) -> Any:
        """The payload: what JSON says, or bytes for binary."""
        return self._publication.payload

    @property
    def name(self) -> str:
        """The event name, ``message`` if none was given."""
        return self._publication.name

    @property
    def channel(self) -> str:
        """The name of the channel."""
        return self._publication.channel.name

    @property
    def system(self) -> bool:
        """Whether it is a system channel."""
        return self._publication.channel.system

    @property
    def consumer(self) -> bool:
        """Whether it is a consumer channel."""
        return self._publication.channel.consumer

    @property
    def position(self) -> str:
        """Where it stands in the order of all messages of the organization: digits. Good for ``since``."""
        return str(self._publication.position)

    @property
    def publisher(self) -> Optional[str]:
        """The identity of who published it, if it has one."""
        return self._publication.publisher

    @property
    def meta(self) -> Any:
        """What was published beside the payload, None without."""
        return self._publication.meta

    @property
    def kind(self) -> str:
        """``message``, or another kind, like ``signal``."""
        return self._publication.kind

    @property
    def expects_replies(self) -> bool:
        """Whether it is a broadcast whose responses are collected."""
        return self._publication.expects_replies

    def __getitem__(self, key: Any) -> Any:
        """The member of the payload. Raises `KeyError` where the payload is no object, or has none of this name."""
        payload = self.payload
        if isinstance(payload, dict) or (isinstance(payload, list) and isinstance(key, (int, slice))):
            return payload[key]
        raise KeyError(key)

    def __contains__(self, key: Any) -> bool:
        """Whether the payload is an object with this member, or an array with this element."""
        return key in self.payload if isinstance(self.payload, (dict, list)) else False

    def get(self, key: str, default: Any = None) -> Any:
        """The member of the payload, or `default` where there is none of this name."""
        return self.payload.get(key, default) if isinstance(self.payload, dict) else default

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} on {self.channel!r} at {self.position}: {_short(self.payload)}>"


_Message = TypeVar("_Message", bound=BaseMessage)


@dataclass(frozen=True)
class Published:
    """What a publication came to."""

    #: Where it stands in the order of all messages of the organization.
    position: str
    #: Whether it is kept in the store.
    stored: bool


@dataclass(frozen=True)
class Response:
    """A response to a broadcast."""

    payload: Any
    #: The identity of who responded, if it has one.
    publisher: Optional[str]


class Responses(List[Any]):
    """The payloads of the responses to a broadcast, in the order they came: a list like any other, that knows more."""

    #: The responses with who gave them.
    details: Sequence[Response]
    #: Where the broadcast stands in the order of all messages of the organization.
    position: str
    #: Whether as many came as were asked for (`until`).
    complete: bool
    #: Why the broadcast, which was delivered, could not be kept in the store; None in general.
    not_kept: Optional[AntiphonError]

    def __init__(
        self, details: Sequence[Response], position: str, complete: bool, not_kept: Optional[AntiphonError]
    ) -> None:
        super().__init__(response.payload for response in details)
        self.details = details
        self.position = position
        self.complete = complete
        self.not_kept = not_kept


@dataclass(frozen=True)
class History(Generic[_Message]):
    """A part of what a channel has kept, the oldest first."""

    messages: List[_Message]
    #: Where it ends: give it as `since` to go on from there.
    position: str
    #: Whether something after `since` is no longer kept.
    gap: bool


@dataclass(frozen=True)
class Member:
    """Somebody who is present on a channel."""

    identity: str
    #: The state they gave themselves, None without.
    state: Any
    #: How many connections of theirs are there.
    sessions: int


@dataclass(frozen=True)
class Presence:
    """Who is present on a channel."""

    #: How many they are.
    occupancy: int
    #: The first thousand of them.
    members: List[Member]


def _short(payload: Any) -> str:
    text = repr(payload)
    return text if len(text) <= 200 else f"{text[:200]}…"
