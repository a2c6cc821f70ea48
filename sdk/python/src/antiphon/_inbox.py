"""What came for a listener and was not read."""

from __future__ import annotations

import copy
from collections import deque
from typing import Deque, Optional, TypeVar

from ._core.wire import Publication
from .errors import AntiphonError, ClosedError

_Error = TypeVar("_Error", bound=BaseException)


class Inbox:
    """At most so many publications; for one more the oldest is dropped, and counted."""

    def __init__(self, longest: int) -> None:
        if longest < 1:
            raise ValueError(f"a listener's queue has room for at least one message, not {longest}")
        self._longest = longest
        self._waiting: Deque[Publication] = deque()
        self._error: Optional[AntiphonError] = None
        self.dropped = 0
        self.gaps = 0

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self._error is not None

    def put(self, publication: Publication) -> None:
        """Something came."""
        if self._error is not None:
            return
        if len(self._waiting) == self._longest:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(publication)

    def end(self, error: AntiphonError) -> None:
        """Nothing more comes. What is there can still be taken."""
        if self._error is None:
            self._error = error

    def cancel(self) -> None:
        """Nobody reads any more."""
        self._waiting.clear()
        self.end(ClosedError("the listener was cancelled"))

    def take(self) -> Optional[Publication]:
        """The next one, or None if there is none yet.

        Raises the error that ended it, when all is taken.
        """
        if self._waiting:
            return self._waiting.popleft()
        if self._error is not None:
            raise fresh(self._error)
        return None


def fresh(error: _Error) -> _Error:
    """A copy to raise: one error can end many requests, in many threads, and raising writes into it."""
    made = copy.copy(error)
    made.__cause__ = error.__cause__
    return made
