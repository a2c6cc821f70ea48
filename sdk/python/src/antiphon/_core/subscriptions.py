"""Which channels are listened to, by whom, and up to where they were heard.

One subscription serves all listeners of a channel: event names are looked at here, not by the server. A subscription is

    IDLE --asked--> ASKED --ok--> LIVE
      ^--- connection lost, or refused for the moment ---'

and has a cursor, from which the next connection recovers. Messages count only while it is LIVE: what comes in ASKED is left
over from a subscription of the same channel that was given up on this connection.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from ..errors import AntiphonError
from .channel import ChannelKey
from .effects import Deliver, Effect, EndListener, Gap, Listening, TellGap
from .wire import GapTold, Publication, subscribed_positions

#: The server takes so many channels in a `subscribe`,
_CHANNELS_MAX = 1000
#: and a message of 1 MiB. Names are counted as if each byte had to be escaped.
_NAME_BYTES_MAX = 128 * 1024


class Stage(Enum):
    """How far a subscription is on this connection."""

    IDLE = "idle"
    ASKED = "asked"
    LIVE = "live"


@dataclass
class Listener:
    """Somebody who reads a channel. What is at or below `after` is none of theirs, or they had it."""

    id: int
    event: Optional[str]
    after: Optional[int]
    waits: bool = True


@dataclass
class Subscription:
    """A channel that is listened to."""

    channel: ChannelKey
    listeners: Dict[int, Listener] = field(default_factory=dict)
    stage: Stage = Stage.IDLE
    request: Optional[int] = None
    cursor: Optional[int] = None
    live_from: int = 0

    @property
    def established(self) -> bool:
        """Whether somebody was told that they listen."""
        return any(not listener.waits for listener in self.listeners.values())


class Subscriptions:
    """All of a client's."""

    def __init__(self) -> None:
        self._of: Dict[ChannelKey, Subscription] = {}
        self._channel_of: Dict[int, ChannelKey] = {}

    def add(
        self, id: int, channel: ChannelKey, event: Optional[str], since: Optional[int]
    ) -> Tuple[List[Effect], List[ChannelKey]]:
        """Adds a listener. Gives the channel as well if it has to be unsubscribed from, to begin earlier."""
        subscription = self._of.setdefault(channel, Subscription(channel))
        listener = Listener(id, event, since)
        subscription.listeners[id] = listener
        self._channel_of[id] = channel
        cursor = subscription.cursor
        if subscription.stage is Stage.LIVE and cursor is not None and (since is None or since >= cursor):
            listener.after = max(cursor, subscription.live_from) if since is None else since
            listener.waits = False
            return [Listening(id)], []
        if since is None or (cursor is not None and since >= cursor):
            return [], []
        subscription.cursor = since
        if subscription.stage is Stage.IDLE:
            return [], []
        # The others know by their own `after` what they had.
        subscription.stage, subscription.request = Stage.IDLE, None
        return [], [channel]

    def remove(self, id: int) -> Optional[ChannelKey]:
        """Removes a listener. Gives the channel if that was its last, and the server has to be told."""
        channel = self._channel_of.pop(id, None)
        if channel is None:
            return None
        subscription = self._of[channel]
        del subscription.listeners[id]
        if subscription.listeners:
            return None
        del self._of[channel]
        return None if subscription.stage is Stage.IDLE else channel

    def wants(self) -> List[List[Dict[str, Any]]]:
        """What has to be subscribed to, in lists that fit into a message each."""
        idle = [subscription for subscription in self._of.values() if subscription.stage is Stage.IDLE]
        lists: List[List[Dict[str, Any]]] = []
        room = 0
        for subscription in idle:
            length = len(subscription.channel.name.encode())
            if not lists or len(lists[-1]) == _CHANNELS_MAX or length > room:
                lists.append([])
                room = _NAME_BYTES_MAX
            room -= length
            want = subscription.channel.members()
            if subscription.cursor is not None:
                want["since"] = str(subscription.cursor)
            lists[-1].append(want)
        return lists

    def handle_asked(self, request: int, wants: List[Dict[str, Any]]) -> None:
        """The wants were sent in this request."""
        for want in wants:
            subscription = self._of[ChannelKey(want["channel"], "system" in want, "consumer" in want)]
            subscription.stage, subscription.request = Stage.ASKED, request

    def handle_ok(self, request: int, members: Mapping[str, Any]) -> List[Effect]:
        """The request was granted.

        Raises `KeyError`, `TypeError` or `ValueError` for an answer that is none.
        """
        effects: List[Effect] = []
        granted = self.asked(request)
        # Nobody asked any more for what is answered late.
        positions = dict(subscribed_positions(members)) if granted else {}
        for subscription in granted:
            position = positions[subscription.channel]
            subscription.stage, subscription.request = Stage.LIVE, None
            subscription.live_from = position
            if subscription.cursor is None:
                subscription.cursor = position
            for listener in subscription.listeners.values():
                if listener.after is None:
                    listener.after = position
                if listener.waits:
                    listener.waits = False
                    effects.append(Listening(listener.id))
        return effects

    def asked(self, request: int) -> List[Subscription]:
        """The subscriptions that wait for the answer to this request."""
        return [subscription for subscription in self._of.values() if subscription.request == request]

    def set_idle(self, subscription: Subscription) -> None:
        """It has to be asked for again."""
        subscription.stage, subscription.request = Stage.IDLE, None

    def waits(self, id: int) -> bool:
        """Whether the listener is there and waits for its subscription."""
        channel = self._channel_of.get(id)
        return channel is not None and self._of[channel].listeners[id].waits

    def end(self, subscription: Subscription, error: AntiphonError) -> List[Effect]:
        """Ends a subscription that cannot be had."""
        self._of.pop(subscription.channel, None)
        for id in subscription.listeners:
            self._channel_of.pop(id, None)
        return [EndListener(id, error) for id in subscription.listeners]

    def end_all(self, error: AntiphonError) -> List[Effect]:
        """Ends all of them."""
        return [effect for subscription in list(self._of.values()) for effect in self.end(subscription, error)]

    def handle_lost(self) -> None:
        """The connection is gone."""
        for subscription in self._of.values():
            subscription.stage, subscription.request = Stage.IDLE, None

    def handle_publication(self, publication: Publication) -> Iterator[Effect]:
        """Something came on a channel."""
        subscription = self._of.get(publication.channel)
        if subscription is None or subscription.stage is not Stage.LIVE:
            return
        position = publication.position
        subscription.cursor = max(position, subscription.cursor or 0)
        for listener in subscription.listeners.values():
            if listener.after is not None and position <= listener.after:
                continue
            listener.after = position
            if listener.event is None or listener.event == publication.name:
                yield Deliver(listener.id, publication)

    def handle_gap(self, told: GapTold) -> Iterator[Effect]:
        """Something is lost.

        Where positions begin anew (another server, or one that lost its data), `resumed` is below what was heard; what
        comes from there on is new all the same.
        """
        subscription = self._of.get(told.channel)
        if subscription is None or subscription.stage is not Stage.LIVE:
            return
        # So that a connection that breaks off right here does not tell the same gap again.
        subscription.cursor = told.resumed - 1
        gap = Gap(told.channel, str(told.since), str(told.resumed))
        begins_anew = told.resumed <= told.since
        for listener in subscription.listeners.values():
            if begins_anew or listener.after is None or listener.after < told.resumed - 1:
                listener.after = told.resumed - 1
                yield TellGap(listener.id, gap)
