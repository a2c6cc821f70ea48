"""Answers of the core as users get them."""

from __future__ import annotations

from typing import Any, Callable, List, Mapping, TypeVar

from ._core.requests import Collected
from ._core.wire import Publication, decode_message
from ._message import BaseMessage, History, Member, Presence, Response, Responses
from .errors import AntiphonError, NobodyCollectsError

_Message = TypeVar("_Message", bound=BaseMessage)


def responses_of(collected: Collected) -> Responses:
    """What a broadcast came to."""
    details = [Response(reply.payload, reply.publisher) for reply in collected.replies]
    return Responses(details, collected.position, collected.complete, collected.not_kept)


def history_of(members: Mapping[str, Any], message: Callable[[Publication], _Message]) -> History[_Message]:
    """What a channel has kept."""
    with _Answer():
        messages = [message(decode_message(one)) for one in members["messages"]]
        return History(messages, str(members["position"]), members.get("gap") is True)


def presence_of(members: Mapping[str, Any]) -> Presence:
    """Who is there."""
    with _Answer():
        there: List[Member] = [
            Member(str(one["identity"]), one.get("state"), int(one.get("sessions", 0))) for one in members["members"]
        ]
        return Presence(int(members["occupancy"]), there)


def raise_unless_broadcast(message: BaseMessage) -> None:
    """Raises `NobodyCollectsError` for a message that is no broadcast: nobody collects responses to it."""
    if not message.expects_replies:
        raise NobodyCollectsError(
            "nobody-collects",
            404,
            "Nobody collects",
            "the message is no broadcast, so there is nobody to respond to",
            channel=message.channel,
            system=message.system,
            consumer=message.consumer,
            position=message.position,
        )


class _Answer:
    """Turns what an answer that is none raises into one error."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if isinstance(error, (KeyError, TypeError, ValueError, OverflowError, AttributeError)):
            raise AntiphonError(f"the server's answer is malformed: {error!r}") from error
