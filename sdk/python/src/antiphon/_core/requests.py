"""What was asked for and is not answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Dict, Iterator, List, Optional, Set

from ..errors import AntiphonError, BroadcastInterruptedError, ConnectionLostError
from .wire import Reply


class Kind(Enum):
    """What is asked for."""

    PUBLISH = "publish"
    BROADCAST = "broadcast"
    REPLY = "reply"
    HISTORY = "history"
    PRESENCE = "presence"


#: These can be sent twice: a publication for its idempotency key, the others because they change nothing.
_REPEATED = frozenset({Kind.PUBLISH, Kind.HISTORY, Kind.PRESENCE})

#: The server collects the responses to so many broadcasts of a connection at once.
_BROADCASTS_MAX = 100


@dataclass
class Request:
    """A request, as it is sent on each connection until it is answered."""

    id: int
    kind: Kind
    text: str
    sent: bool = False
    times_sent: int = 0
    position: Optional[str] = None
    replies: List[Reply] = field(default_factory=list)
    not_kept: Optional[AntiphonError] = None

    @property
    def repeated(self) -> bool:
        """Whether it may be sent twice."""
        return self.kind in _REPEATED

    def interrupted(self, code: Optional[int], reason: str) -> ConnectionLostError:
        """The error for one that was sent and cannot be sent again."""
        if self.kind is Kind.BROADCAST:
            came = [reply.payload for reply in self.replies]
            message = f"the connection broke off while responses were collected; {len(came)} had come"
            return BroadcastInterruptedError(message, came, code, reason)
        return ConnectionLostError("the connection broke off before the answer came", code, reason)


@dataclass(frozen=True)
class Collected:
    """What a broadcast came to."""

    position: str
    replies: List[Reply]
    complete: bool
    not_kept: Optional[AntiphonError]


class Requests:
    """All that are not answered, in the order they were made."""

    def __init__(self) -> None:
        self._of: Dict[int, Request] = {}
        self._broadcasts: Set[int] = set()
        self._broadcasts_out: Set[int] = set()
        self.length = 0
        """Of all their texts together."""

    def __len__(self) -> int:
        return len(self._of)

    def __iter__(self) -> Iterator[Request]:
        return iter(list(self._of.values()))

    def add(self, request: Request) -> None:
        """Keeps it until it is answered."""
        self._of[request.id] = request
        self.length += len(request.text)
        if request.kind is Kind.BROADCAST:
            self._broadcasts.add(request.id)

    def find(self, id: Optional[int]) -> Optional[Request]:
        """The one with this id, if it still waits."""
        return None if id is None else self._of.get(id)

    def take(self, id: int) -> Optional[Request]:
        """The same, and it waits no longer."""
        request = self._of.pop(id, None)
        if request is not None:
            self.length -= len(request.text)
            self._broadcasts.discard(id)
            self._broadcasts_out.discard(id)
        return request

    def sendable(self) -> List[Request]:
        """Those that were not sent, as far as the server takes them at once."""
        unsent = [request for request in self._of.values() if not request.sent]
        room = _BROADCASTS_MAX - len(self._broadcasts_out)
        sendable = []
        for request in unsent:
            if request.kind is Kind.BROADCAST:
                room -= 1
                if room < 0:
                    continue
            sendable.append(request)
        return sendable

    def next_broadcast(self) -> Optional[Request]:
        """The next broadcast that waits for others to end, if it can be sent."""
        if len(self._broadcasts) == len(self._broadcasts_out) or len(self._broadcasts_out) >= _BROADCASTS_MAX:
            return None
        return next((r for r in self._of.values() if r.kind is Kind.BROADCAST and not r.sent), None)

    def may_send(self, kind: Kind) -> bool:
        """Whether the server takes another one of this kind at once."""
        return kind is not Kind.BROADCAST or len(self._broadcasts_out) < _BROADCASTS_MAX

    def handle_sent(self, request: Request) -> None:
        """It is on its way."""
        request.sent = True
        request.times_sent += 1
        if request.kind is Kind.BROADCAST:
            self._broadcasts_out.add(request.id)

    def take_lost(self) -> List[Request]:
        """Takes out those that the end of the connection ends; the others are to be sent again."""
        lost = [request for request in self._of.values() if request.sent and not request.repeated]
        for request in lost:
            self.take(request.id)
        for request in self._of.values():
            request.sent = False
        return lost

    def take_largest_sent(self) -> Optional[Request]:
        """Takes out the longest of those under way."""
        sent = [request for request in self._of.values() if request.sent]
        if not sent:
            return None
        largest = max(sent, key=lambda request: len(request.text))
        return self.take(largest.id)

    def any_interruptible(self) -> bool:
        """Whether the end of the connection would end one."""
        return any(request.sent and not request.repeated for request in self._of.values())


def result_of(request: Request, members: Any) -> Any:
    """What a request that is answered with `ok` comes to.

    Raises `KeyError` or `TypeError` for an answer that is none.
    """
    if request.kind is Kind.PUBLISH:
        return str(members["position"]), members.get("stored") is True
    if request.kind is Kind.REPLY:
        return None
    return dict(members)
