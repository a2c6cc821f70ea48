"""How long to wait before the next attempt."""

from __future__ import annotations

from random import Random
from typing import Optional

#: A connection that was open for so long (seconds) was a good one: after it the first delay counts again.
GOOD_AFTER = 5.0


class Backoff:
    """Delays in seconds: between half and the whole of ``first``, twice that after each failure in a row, up to ``longest``.

    The random part keeps all the clients of a server that restarts from coming back at the same moment.
    """

    def __init__(self, first: float, longest: float, random: Random) -> None:
        self._first = first
        self._longest = longest
        self._random = random
        self._failures = 0
        self._open_since: Optional[float] = None

    def handle_open(self, now: float) -> None:
        """The attempt succeeded."""
        self._open_since = now

    def handle_failure(self, now: float) -> float:
        """The attempt failed, or what it had opened ended. Gives how long to wait."""
        if self._open_since is not None and now - self._open_since >= GOOD_AFTER:
            self._failures = 0
        self._open_since = None
        # Far beyond any `longest`; a float has no room for 2 to the power of a long night.
        whole = min(self._longest, self._first * 2.0 ** min(self._failures, 60))
        self._failures += 1
        return whole * (0.5 + 0.5 * self._random.random())

    def reset(self) -> None:
        """The next failure is the first one."""
        self._failures = 0
        self._open_since = None
