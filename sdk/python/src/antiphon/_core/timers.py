"""Timers as data: a table of those there is one of, and a heap of those that belong to requests."""

from __future__ import annotations

import heapq
from enum import Enum
from typing import Dict, List, Optional, Tuple


class Timer(Enum):
    """What there is one of."""

    #: The next attempt to connect.
    RECONNECT = "reconnect"
    #: A connection that is being opened has to be open.
    ATTEMPT = "attempt"
    #: Nothing came for a while: ask.
    SILENCE = "silence"
    #: The answer to that has to be there.
    LOST = "lost"
    #: Another token is due.
    REFRESH = "refresh"
    #: Subscriptions that the server could not take are asked for again.
    SUBSCRIBE = "subscribe"


class Due(Enum):
    """What a request's or listener's time is up for."""

    REQUEST = "request"
    LISTENER = "listener"
    REPEAT = "repeat"


class Timers:
    """When what is due."""

    def __init__(self) -> None:
        self._table: Dict[Timer, float] = {}
        self._heap: List[Tuple[float, int, str]] = []

    def set(self, timer: Timer, at: float) -> None:
        """Sets a timer, or sets it anew."""
        self._table[timer] = at

    def stop(self, *timers: Timer) -> None:
        """Stops timers, set or not."""
        for timer in timers:
            self._table.pop(timer, None)

    def stop_all(self) -> None:
        """Stops everything."""
        self._table.clear()
        self._heap.clear()

    def is_set(self, timer: Timer) -> bool:
        """Whether the timer runs."""
        return timer in self._table

    def add(self, due: Due, id: int, at: float) -> None:
        """Sets one for a request or listener. It is not taken back: whose time is up may be gone."""
        heapq.heappush(self._heap, (at, id, due.value))

    def next(self) -> Optional[float]:
        """When the next one is due."""
        times = list(self._table.values())
        if self._heap:
            times.append(self._heap[0][0])
        return min(times, default=None)

    def take_due(self, now: float) -> Optional[Timer]:
        """Takes one of the table that is due."""
        for timer, at in self._table.items():
            if at <= now:
                del self._table[timer]
                return timer
        return None

    def take_due_of_requests(self, now: float) -> Optional[Tuple[Due, int]]:
        """Takes one of the heap that is due."""
        if self._heap and self._heap[0][0] <= now:
            _, id, due = heapq.heappop(self._heap)
            return Due(due), id
        return None
