"""Where the server is."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

_SCHEMES = {"http": ("http", "ws"), "ws": ("http", "ws"), "https": ("https", "wss"), "wss": ("https", "wss")}


@dataclass(frozen=True)
class Address:
    """The server's address, for both of its protocols."""

    http: str
    websocket: str

    @staticmethod
    def of(url: str) -> Address:
        """Reads what a user gave: http, https, ws or wss, a host, and a path if the server is below one.

        Raises `ValueError` for what is no such URL.
        """
        parts = urlsplit(url)
        schemes = _SCHEMES.get(parts.scheme.lower())
        if schemes is None or not parts.hostname:
            raise ValueError(f"the URL has to be like http://127.0.0.1:8080, not {_shown(url)}")
        if parts.username is not None or parts.password is not None:
            raise ValueError("credentials do not belong into the URL: give token, device, consumer_app or user")
        if parts.query or parts.fragment:
            raise ValueError("the URL has neither a query nor a fragment")
        rest = f"{parts.netloc}{parts.path.rstrip('/')}"
        return Address(f"{schemes[0]}://{rest}", f"{schemes[1]}://{rest}")

    def login(self) -> str:
        """Where to log in."""
        return f"{self.http}/api/auth/login"

    def refresh(self) -> str:
        """Where there is another token for one that is valid."""
        return f"{self.http}/api/auth/token"

    def events(self, identity: str) -> str:
        """The WebSocket of a client that names itself so."""
        return f"{self.websocket}/v1/events?identity={quote(identity, safe='')}"


def _shown(url: str) -> str:
    # What is before an @ may be a password.
    return repr(url.rsplit("@", 1)[-1][:80])
