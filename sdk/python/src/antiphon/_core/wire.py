"""Messages of `antiphon.v1` as text, both ways."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

from ..errors import ProblemError
from .channel import ChannelKey


class DecodeError(Exception):
    """The text is no message of the protocol."""


@dataclass(frozen=True)
class Publication:
    """A message that came on a channel, or lies in its history."""

    channel: ChannelKey
    position: int
    name: str
    payload: Any
    kind: str
    publisher: Optional[str]
    meta: Any
    expects_replies: bool


@dataclass(frozen=True)
class Open:
    """The server's first message."""

    identity: str


@dataclass(frozen=True)
class Ok:
    """A request was done; `members` are those of the answer."""

    id: int
    members: Mapping[str, Any]


@dataclass(frozen=True)
class Refused:
    """A request was not done."""

    id: Optional[int]
    error: ProblemError


@dataclass(frozen=True)
class Reply:
    """A response to the broadcast `id`."""

    id: int
    payload: Any
    publisher: Optional[str]


@dataclass(frozen=True)
class RepliesEnd:
    """The broadcast `id` collects no more."""

    id: int
    complete: bool


@dataclass(frozen=True)
class GapTold:
    """What came after `since` and before `resumed` is lost in part or as a whole."""

    channel: ChannelKey
    since: int
    resumed: int


@dataclass(frozen=True)
class Close:
    """The server is about to close the connection."""

    reason: str
    reconnect: bool


@dataclass(frozen=True)
class Other:
    """A `pong`, or a message of a type that this version does not know: the server is there."""


Incoming = Union[Open, Ok, Refused, Reply, RepliesEnd, GapTold, Close, Publication, Other]


def decode(text: Union[str, bytes]) -> Incoming:
    """Reads a message of the server.

    Raises `DecodeError` for what is none.
    """
    members = parse_json(text)
    if not isinstance(members, dict):
        raise DecodeError("a message is a JSON object")
    try:
        return _decode_members(members)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise DecodeError(f"a message of the type {members.get('type')!r} is malformed: {error!r}") from error


def parse_json(text: Union[str, bytes]) -> Any:
    """Parses JSON. Integers too long for this Python become floats.

    Raises `DecodeError` for what is no JSON.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise DecodeError("the JSON is nested too deeply") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DecodeError(str(error)) from error
    except ValueError:
        # Python refuses to parse integers of thousands of digits, which any publisher can send.
        return json.loads(text, parse_int=_int_or_float)


def decode_message(members: Mapping[str, Any]) -> Publication:
    """Reads a message as it stands in `message` and in `history`.

    Raises `KeyError`, `TypeError` or `ValueError` for what is none.
    """
    publisher = members.get("publisher")
    return Publication(
        channel=channel_of(members),
        position=int(members["position"]),
        name=str(members.get("name", "message")),
        payload=_payload(members),
        kind=str(members.get("kind", "message")),
        publisher=None if publisher is None else str(publisher),
        meta=members.get("meta"),
        expects_replies=members.get("expects_replies") is True,
    )


def channel_of(members: Mapping[str, Any]) -> ChannelKey:
    """The channel that an answer names."""
    return ChannelKey(str(members["channel"]), members.get("system") is True, members.get("consumer") is True)


def encode(type: str, id: Optional[int], members: Mapping[str, Any]) -> str:
    """Writes a message.

    Raises `TypeError` for what JSON has no way to say, and `ValueError` for NaN, infinities and lone surrogates.
    """
    envelope: Dict[str, Any] = {"type": type}
    if id is not None:
        envelope["id"] = id
    envelope.update(members)
    try:
        text = json.dumps(envelope, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except RecursionError as error:
        raise ValueError("the payload is nested too deeply") from error
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("text is Unicode without lone surrogates") from error
    return text


def payload_members(payload: Any) -> Dict[str, Any]:
    """The members that carry a payload: any JSON, or bytes in base64."""
    if isinstance(payload, (bytes, bytearray, memoryview)):
        return {"payload": base64.b64encode(payload).decode("ascii"), "encoding": "base64"}
    return {"payload": payload}


def _decode_members(members: Dict[str, Any]) -> Incoming:
    kind = members.get("type")
    if kind == "message":
        return decode_message(members)
    if kind == "ok":
        return Ok(int(members["id"]), members)
    if kind == "error":
        id = members.get("id")
        return Refused(id if isinstance(id, int) else None, ProblemError.from_document(members["error"]))
    if kind == "reply":
        publisher = members.get("publisher")
        return Reply(int(members["id"]), _payload(members), None if publisher is None else str(publisher))
    if kind == "replies_end":
        return RepliesEnd(int(members["id"]), members.get("complete") is True)
    if kind == "gap":
        return GapTold(channel_of(members), int(members["since"]), int(members["resumed"]))
    if kind == "open":
        return Open(str(members.get("identity", "")))
    if kind == "close":
        return Close(str(members.get("reason", "")), members.get("reconnect") is not False)
    return Other()


def _payload(members: Mapping[str, Any]) -> Any:
    payload = members.get("payload")
    if members.get("encoding") != "base64" or not isinstance(payload, str):
        return payload
    try:
        return base64.b64decode(payload, validate=True)
    except binascii.Error as error:
        raise ValueError("the payload is not base64") from error


def _int_or_float(digits: str) -> Union[int, float]:
    try:
        return int(digits)
    except ValueError:
        return float(digits)


def subscribed_positions(members: Mapping[str, Any]) -> List[Tuple[ChannelKey, int]]:
    """The channels of the answer to a `subscribe`, each with the position from which on it is live.

    Raises `KeyError`, `TypeError` or `ValueError` for what is no such answer.
    """
    return [(channel_of(channel), int(channel["position"])) for channel in members["channels"]]
