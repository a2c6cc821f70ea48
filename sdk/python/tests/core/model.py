"""A server of `antiphon.v1` as the protocol's documentation has it, small enough to be seen to be right."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Set, Tuple

#: How many messages a channel keeps.
KEPT = 12


@dataclass
class Server:
    """Channels, and at most one connection of the client under test."""

    position: int = 100
    channels: Dict[str, List[Tuple[int, Any]]] = field(default_factory=dict)
    keys: Dict[str, int] = field(default_factory=dict)
    outgoing: List[str] = field(default_factory=list)
    subscribed: Set[str] = field(default_factory=set)
    collecting: List[int] = field(default_factory=list)
    connected: bool = False

    def connect(self) -> None:
        self.connected = True
        self.say(type="open", session="1", identity="alice", position=str(self.position))

    def disconnect(self) -> None:
        self.connected = False
        self.outgoing.clear()
        self.subscribed.clear()
        self.collecting.clear()

    def say(self, **message: Any) -> None:
        if self.connected:
            self.outgoing.append(json.dumps(message))

    def publish(self, channel: str, payload: Any, key: Optional[str] = None) -> int:
        if key is not None and key in self.keys:
            return self.keys[key]
        self.position += 3
        self.channels.setdefault(channel, []).append((self.position, payload))
        if key is not None:
            self.keys[key] = self.position
        if channel in self.subscribed:
            self.message(channel, self.position, payload)
        return self.position

    def message(self, channel: str, position: int, payload: Any) -> None:
        self.say(type="message", channel=channel, position=str(position), name="message", payload=payload)

    def hear(self, text: str) -> None:
        message = json.loads(text)
        kind, id = message["type"], message.get("id")
        if kind == "publish":
            position = self.publish(message["channel"], message["payload"], message["idempotency_key"])
            self.say(type="ok", id=id, position=str(position), stored=True)
        elif kind == "subscribe":
            self.subscribe(id, message["channels"])
        elif kind == "unsubscribe":
            self.subscribed -= {channel["channel"] for channel in message["channels"]}
        elif kind == "broadcast":
            self.say(type="ok", id=id, position=str(self.publish(message["channel"], message["payload"])))
            self.collecting.append(id)
        elif kind == "ping":
            self.say(type="pong")
        else:
            raise AssertionError(message)

    def end_broadcasts(self) -> None:
        for id in self.collecting:
            self.say(type="reply", id=id, payload=id)
            self.say(type="replies_end", id=id, complete=False)
        self.collecting.clear()

    def subscribe(self, id: int, wants: List[Dict[str, Any]]) -> None:
        missed: List[Tuple[int, str, Any]] = []
        answer: List[Dict[str, Any]] = []
        gaps: List[Dict[str, Any]] = []
        for want in wants:
            channel = want["channel"]
            assert channel not in self.subscribed, f"{channel} is subscribed to already"
            self.subscribed.add(channel)
            all_of_it = self.channels.get(channel, [])
            kept = all_of_it[-KEPT:]
            gap = False
            if "since" in want:
                since = int(want["since"])
                gone = all_of_it[: -len(kept)] if kept else []
                gap = any(position > since for position, _ in gone)
                missed += [(position, channel, payload) for position, payload in kept if position > since]
                if gap:
                    gaps.append({"since": str(since), "resumed": str(kept[0][0]), "channel": channel})
            answer.append({"channel": channel, "position": str(self.position), "gap": gap})
        self.say(type="ok", id=id, channels=answer)
        for members in gaps:
            self.say(type="gap", **members)
        for position, channel, payload in sorted(missed):
            self.message(channel, position, payload)
