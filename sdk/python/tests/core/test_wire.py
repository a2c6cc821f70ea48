"""Messages as text."""

from __future__ import annotations

import contextlib
import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon import (
    BroadcastInterruptedError,
    ConflictError,
    InvalidRequestError,
    NobodyCollectsError,
    ProblemError,
    RateLimitedError,
)
from antiphon._core import wire
from antiphon._core.channel import ChannelKey

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.text())
def test_no_text_does_more_than_be_refused(text: str) -> None:
    with contextlib.suppress(wire.DecodeError):
        wire.decode(text)


TYPES = ["open", "ok", "error", "message", "reply", "replies_end", "gap", "close", "pong"]
MEMBERS = [
    "id",
    "channel",
    "position",
    "payload",
    "encoding",
    "error",
    "since",
    "resumed",
    "channels",
    "name",
    "reason",
]


@given(st.sampled_from(TYPES), st.dictionaries(st.sampled_from(MEMBERS), JSON))
def test_no_members_do_more_than_be_refused(kind: str, members: Any) -> None:
    with contextlib.suppress(wire.DecodeError):
        wire.decode(json.dumps({"type": kind, **members}))


@given(JSON | st.binary())
def test_payloads_arrive_as_they_were_sent(payload: Any) -> None:
    try:
        text = wire.encode("message", None, {"position": "1", "channel": "c", **wire.payload_members(payload)})
    except ValueError:
        # Of hypothesis' text: lone surrogates.
        return
    message = wire.decode(text)
    assert isinstance(message, wire.Publication)
    assert message.payload == payload and type(message.payload) is type(payload)


def test_a_message_with_everything() -> None:
    message = wire.decode(
        '{"type":"message","position":"17","channel":"ü","system":true,"kind":"signal","name":"n","payload":1,'
        '"meta":[2],"publisher":"bob","expects_replies":true,"new":{}}'
    )
    assert message == wire.Publication(ChannelKey("ü", system=True), 17, "n", 1, "signal", "bob", [2], True)


def test_integers_of_any_length() -> None:
    message = wire.decode('{"type":"message","position":"1","channel":"c","payload":%s}' % ("1" * 5000))
    assert isinstance(message, wire.Publication) and isinstance(message.payload, (int, float))


def test_json_nested_for_ever() -> None:
    with pytest.raises(wire.DecodeError):
        wire.decode("[" * 100_000 + "]" * 100_000)


def test_mutable_bytes_are_bytes() -> None:
    assert wire.payload_members(bytearray(b"\x00")) == wire.payload_members(memoryview(b"\x00"))


@pytest.mark.parametrize(
    ("document", "kind", "word"),
    [
        (
            {"type": "urn:antiphon:problem:invalid-parameter", "status": 400, "parameter": "x"},
            InvalidRequestError,
            "invalid-parameter",
        ),
        ({"type": "urn:antiphon:problem:nobody-collects", "status": 404}, NobodyCollectsError, "nobody-collects"),
        ({"type": "urn:antiphon:problem:conflict", "status": 409}, ConflictError, "conflict"),
        ({"code": "rate-limited", "message": "later", "status": 429}, RateLimitedError, "rate-limited"),
        ({"type": "about:blank", "status": 426}, ProblemError, "about:blank"),
        ({}, ProblemError, "unknown"),
        ({"type": 5, "status": "x", "detail": [], "channel": 1}, ProblemError, "unknown"),
    ],
)
def test_problems_are_typed(document: Any, kind: type, word: str) -> None:
    error = ProblemError.from_document(document)
    assert type(error) is kind and error.type == word
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind and vars(again) == vars(error) and str(again) == str(error)
    assert str(copy.copy(error)) == str(error)


def test_other_errors_survive_pickling_too() -> None:
    error = pickle.loads(pickle.dumps(BroadcastInterruptedError("why", [1], 1001, "bye")))
    assert (str(error), error.responses, error.code, error.reason) == ("why", [1], 1001, "bye")
