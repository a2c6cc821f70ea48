"""The token that a connection is opened with, and when another is due."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Optional


class Source(Enum):
    """Where tokens come from."""

    #: There is none: the open org.
    NONE = "none"
    #: One was given, and there is no other.
    STATIC = "static"
    #: The driver gets them, by a login or from a function.
    FETCHED = "fetched"


@dataclass(frozen=True)
class Token:
    """A token, and for how long it is valid from when it was given (seconds), as far as that is known."""

    text: str
    lifetime: Optional[float] = None
    #: Whether the server gives another one for it while it is valid.
    refreshable: bool = False

    def __repr__(self) -> str:
        return f"Token(lifetime={self.lifetime}, refreshable={self.refreshable})"


class Credential:
    """The token of the moment."""

    def __init__(self, source: Source, text: Optional[str] = None) -> None:
        self.source = source
        self.fetching = False
        self._token = None if text is None else Token(text)
        self._expires: Optional[float] = None
        self._proven = False

    @property
    def token(self) -> Optional[Token]:
        """The token, if there is one."""
        return self._token

    @property
    def text(self) -> Optional[str]:
        """How it is written."""
        return None if self._token is None else self._token.text

    @property
    def refreshable(self) -> Optional[str]:
        """The token, if the server gives another one for it."""
        return self._token.text if self._token is not None and self._token.refreshable else None

    def is_missing(self, now: float) -> bool:
        """Whether a token has to be fetched before a connection can be opened."""
        if self.source is not Source.FETCHED:
            return False
        return self._token is None or (self._expires is not None and now >= self._expires)

    def set(self, token: Token, now: float) -> Optional[float]:
        """Takes a token. Gives when another one is due, at half of its lifetime."""
        self._token = token
        if token.lifetime is None:
            self._expires = None
            return None
        self._expires = now + token.lifetime
        # Not more often than each second, however short the server makes them.
        return now + max(token.lifetime / 2, 1.0)

    def handle_accepted(self) -> None:
        """The server took it."""
        self._proven = True

    def handle_refused(self) -> bool:
        """The server does not take it. Says whether another may be taken: not if no token was since the last refusal."""
        if self.source is not Source.FETCHED:
            return False
        worth_another = self._proven
        self._token, self._expires, self._proven = None, None, False
        return worth_another
