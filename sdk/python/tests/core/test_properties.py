"""Whatever connections do and when: nothing is lost without a word, nothing is doubled, nothing comes out of order."""

from __future__ import annotations

import os
from random import Random
from typing import Any, Dict, List, Tuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from antiphon import BroadcastInterruptedError, RequestTimeoutError
from antiphon._core.channel import ChannelKey
from antiphon._core.core import Core
from antiphon._core.credential import Credential, Source
from antiphon._core.effects import (
    Connect,
    Deliver,
    Disconnect,
    EndListener,
    Fail,
    Listening,
    Resolve,
    Send,
    State,
    TellGap,
)
from antiphon._core.settings import Settings

from .model import Server

CHANNELS = st.sampled_from(["a", "b", "c"])


class Told:
    """What a listener was told, in its order: positions, and gaps as pairs."""

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.ready_at: int = -1
        self.since: int = -1
        self.heard: List[int] = []
        self.gaps: List[Tuple[int, int]] = []


class Machine(RuleBasedStateMachine):
    """A core and a server, with wires between them that are cut anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.server = Server()
        # Time that a request may take is not what is tested here.
        self.core = Core(Settings(request_timeout=1e9), Credential(Source.NONE), Random(1))
        self.wire: List[str] = []
        self.connection = 0
        self.dialing = False
        self.listeners: Dict[int, Told] = {}
        self.published: Dict[int, int] = {}
        self.answered: Dict[int, Any] = {}
        self.broadcasts: List[int] = []
        self.payloads = 0
        self.core.start(self.now)
        self.pump()

    def pump(self) -> None:
        while True:
            effect = self.core.poll_effect()
            if effect is None:
                return
            if isinstance(effect, Send):
                self.wire.append(effect.text)
            elif isinstance(effect, Connect):
                self.connection, self.dialing = effect.connection, True
            elif isinstance(effect, Disconnect):
                self.cut()
            elif isinstance(effect, Listening):
                self.listeners[effect.listener].ready_at = self.server.position
            elif isinstance(effect, Deliver):
                self.deliver(effect)
            elif isinstance(effect, TellGap):
                listener = self.listeners[effect.listener]
                listener.gaps.append((int(effect.gap.since), int(effect.gap.resumed)))
            elif isinstance(effect, (Resolve, Fail)):
                assert effect.request not in self.answered
                self.answered[effect.request] = effect.value if isinstance(effect, Resolve) else effect.error
            else:
                assert not isinstance(effect, EndListener), effect

    def deliver(self, effect: Deliver) -> None:
        if effect.listener in self.listeners:
            listener = self.listeners[effect.listener]
            assert effect.publication.channel.name == listener.channel
            listener.heard.append(effect.publication.position)

    def cut(self) -> None:
        self.wire.clear()
        self.dialing = False
        self.server.disconnect()

    def next_payload(self) -> int:
        self.payloads += 1
        return self.payloads

    @rule(channel=CHANNELS, count=st.integers(1, 15))
    def others_publish(self, channel: str, count: int) -> None:
        for _ in range(count):
            self.server.publish(channel, self.next_payload())

    @rule(channel=CHANNELS)
    def publish(self, channel: str) -> None:
        payload = self.next_payload()
        self.published[self.core.publish(ChannelKey(channel), {"payload": payload}, self.now)] = payload
        self.pump()

    @rule(channel=CHANNELS)
    def broadcast(self, channel: str) -> None:
        self.broadcasts.append(self.core.broadcast(ChannelKey(channel), {"payload": 0}, 2.0, self.now))
        self.pump()

    @rule(channel=CHANNELS, back=st.integers(-1, 30))
    def listen(self, channel: str, back: int) -> None:
        since = None if back < 0 else max(self.server.position - back * 3, 0)
        id = self.core.listen(ChannelKey(channel), None, since, self.now)
        self.listeners[id] = Told(channel)
        if since is not None:
            self.listeners[id].since = since
        self.pump()

    @precondition(lambda self: self.listeners)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from(sorted(self.listeners)))
        del self.listeners[id]
        self.core.unlisten(id, self.now)
        self.pump()

    @precondition(lambda self: self.dialing)
    @rule()
    def connects(self) -> None:
        self.dialing = False
        self.server.connect()
        self.core.handle_connected(self.connection, self.now)
        self.pump()

    @precondition(lambda self: self.server.connected)
    @rule(count=st.integers(1, 8))
    def client_to_server(self, count: int) -> None:
        arriving, self.wire[:count] = self.wire[:count], []
        for text in arriving:
            self.server.hear(text)

    @precondition(lambda self: self.server.connected)
    @rule(count=st.integers(1, 30))
    def server_to_client(self, count: int) -> None:
        for _ in range(min(count, len(self.server.outgoing))):
            problem = self.core.handle_text(self.connection, self.server.outgoing.pop(0), self.now)
            assert problem is None, problem
            self.pump()

    @rule()
    def broadcasts_end(self) -> None:
        self.server.end_broadcasts()

    @precondition(lambda self: self.server.connected)
    @rule()
    def breaks_off(self) -> None:
        self.cut()
        self.core.handle_disconnected(self.connection, None, "", self.now)
        self.pump()

    @rule(seconds=st.floats(0.1, 20.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        at = self.core.poll_time()
        if at is not None and at <= self.now:
            self.core.handle_time(self.now)
            self.pump()

    @invariant()
    def what_was_heard_is_in_order_and_once(self) -> None:
        for listener in self.listeners.values():
            assert listener.heard == sorted(set(listener.heard))

    def settle(self) -> None:
        for _ in range(60):
            if self.dialing:
                self.connects()
            while self.server.connected and (self.wire or self.server.outgoing):
                self.client_to_server(1000)
                self.server_to_client(1)
            if self.core.state is State.ONLINE and not self.wire and not self.server.outgoing:
                self.server.end_broadcasts()
                if not self.server.outgoing:
                    return
            if not self.server.connected:
                self.time_passes(20.0)
        raise AssertionError("it does not settle")

    def teardown(self) -> None:
        self.settle()
        for channel in ("a", "b", "c"):
            self.others_publish(channel, 1)
        self.settle()
        for listener in self.listeners.values():
            self.check_complete(listener)
        self.check_publications()
        for request in self.broadcasts:
            result = self.answered[request]
            assert isinstance(result, (BroadcastInterruptedError, RequestTimeoutError)) or [
                r.payload for r in result.replies
            ] == [request]

    def check_complete(self, listener: Told) -> None:
        """All that was published since is there, or lies in a gap that was told."""
        after = listener.since if listener.since >= 0 else listener.ready_at
        for position, _ in self.server.channels.get(listener.channel, []):
            if position <= after:
                continue
            told = any(since < position < resumed for since, resumed in listener.gaps)
            assert position in listener.heard or told, (position, vars(listener))
        if listener.since >= 0:
            assert all(position > listener.since for position in listener.heard)

    def check_publications(self) -> None:
        """All of this client's are there, each once, and in the order they were made."""
        for channel in self.server.channels.values():
            own = [payload for _, payload in channel if payload in set(self.published.values())]
            assert own == sorted(set(own))
        there = {payload: position for channel in self.server.channels.values() for position, payload in channel}
        for request, payload in self.published.items():
            assert self.answered[request] == (str(there[payload]), True)


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=int(os.environ.get("PROPERTY_EXAMPLES", "150")),
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
