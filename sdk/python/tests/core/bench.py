"""A core on a virtual clock, with the network in the hands of the test."""

from __future__ import annotations

import json
from random import Random
from typing import Any, Dict, List, Optional, Type, TypeVar

from antiphon._core.channel import ChannelKey
from antiphon._core.core import Core
from antiphon._core.credential import Credential, Source, Token
from antiphon._core.effects import Connect, Disconnect, Effect, Send
from antiphon._core.settings import Settings

ROOM = ChannelKey("room")
_Effect = TypeVar("_Effect")


class Bench:
    """Effects of the core are collected in `done`; what it sends, in `sent`."""

    def __init__(
        self, credential: Optional[Credential] = None, settings: Optional[Settings] = None, seed: int = 1
    ) -> None:
        self.now = 1000.0
        self.core = Core(settings or Settings(), credential or Credential(Source.NONE), Random(seed))
        self.done: List[Effect] = []
        self.connects: List[Connect] = []
        self.sent: List[Dict[str, Any]] = []
        self.connection = 0
        self.core.start(self.now)
        self.pump()

    def pump(self) -> None:
        while True:
            effect = self.core.poll_effect()
            if effect is None:
                return
            if isinstance(effect, Connect):
                self.connects.append(effect)
                self.connection = effect.connection
            elif isinstance(effect, Send):
                self.sent.append(json.loads(effect.text))
            else:
                self.done.append(effect)

    def take(self, kind: Type[_Effect]) -> List[_Effect]:
        """Takes out the effects of this kind."""
        taken: List[_Effect] = [effect for effect in self.done if isinstance(effect, kind)]
        self.done = [effect for effect in self.done if not isinstance(effect, kind)]
        return taken

    def one(self, kind: Type[_Effect]) -> _Effect:
        """Takes out the only effect of this kind."""
        taken = self.take(kind)
        assert len(taken) == 1, f"{taken} of {self.done}"
        return taken[0]

    def take_sent(self) -> List[Dict[str, Any]]:
        sent, self.sent = self.sent, []
        return sent

    def one_sent(self, type: str) -> Dict[str, Any]:
        sent = self.take_sent()
        assert [message["type"] for message in sent] == [type], sent
        return sent[0]

    def online(self) -> Bench:
        """The attempt that is under way succeeds."""
        self.core.handle_connected(self.connection, self.now)
        self.hear(type="open", session="1", identity="alice", position="5")
        return self

    def hear(self, **message: Any) -> None:
        """The server says this."""
        problem = self.core.handle_text(self.connection, json.dumps(message), self.now)
        assert problem is None, problem
        self.pump()

    def hear_text(self, text: str) -> Optional[str]:
        problem = self.core.handle_text(self.connection, text, self.now)
        self.pump()
        return problem

    def message(self, position: int, channel: str = "room", **members: Any) -> None:
        message = {"payload": position, "name": "message", **members}
        self.hear(type="message", position=str(position), channel=channel, **message)

    def lose(self, code: Optional[int] = None, reason: str = "") -> None:
        """The connection ends."""
        self.core.handle_disconnected(self.connection, code, reason, self.now)
        self.pump()

    def give(self, token: Token) -> None:
        self.core.handle_token(token, self.now)
        self.pump()

    def advance(self, seconds: float) -> None:
        """Lets time pass, with all that is due meanwhile at its own time."""
        until = self.now + seconds
        while True:
            at = self.core.poll_time()
            if at is None or at > until:
                break
            self.now = max(self.now, at)
            self.core.handle_time(self.now)
            self.pump()
        self.now = until

    def reconnect(self) -> Bench:
        """Waits for the next attempt, which succeeds."""
        self.attempt()
        return self.online()

    def attempt(self) -> None:
        """Waits for the next attempt."""
        attempts = len(self.connects)
        while len(self.connects) == attempts:
            at = self.core.poll_time()
            assert at is not None and at <= self.now + 31.0, at
            self.advance(at - self.now)

    def listen(self, event: Optional[str] = None, since: Optional[int] = None, channel: ChannelKey = ROOM) -> int:
        listener = self.core.listen(channel, event, since, self.now)
        self.pump()
        return listener

    def listening(self, position: int = 10, **options: Any) -> int:
        """A listener that has its subscription."""
        listener = self.listen(**options)
        self.ok_subscribe(position)
        return listener

    def ok_subscribe(self, position: int) -> Dict[str, Any]:
        """Grants the `subscribe` that was sent last."""
        asked = [message for message in self.take_sent() if message["type"] == "subscribe"][-1]
        granted = [
            {**{k: v for k, v in channel.items() if k != "since"}, "position": str(position), "gap": False}
            for channel in asked["channels"]
        ]
        self.hear(type="ok", id=asked["id"], channels=granted)
        return asked

    def publish(self, payload: Any = 1) -> int:
        request = self.core.publish(ROOM, {"payload": payload}, self.now)
        self.pump()
        return request

    def broadcast(self, timeout: float = 2.0) -> int:
        request = self.core.broadcast(ROOM, {"payload": 1}, timeout, self.now)
        self.pump()
        return request

    def refuse(self, id: int, status: int, kind: str, **members: Any) -> None:
        problem = {"type": f"urn:antiphon:problem:{kind}", "title": kind, "status": status, "detail": "why", **members}
        self.hear(type="error", id=id, error=problem)


def disconnected(bench: Bench) -> bool:
    return bool(bench.take(Disconnect))
