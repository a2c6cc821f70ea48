"""The options of `connect`, the same for both interfaces."""

from __future__ import annotations

import secrets
import ssl as ssl_module
from dataclasses import dataclass, fields
from random import SystemRandom
from typing import Any, Dict, Mapping, Optional, Union

from . import _driver
from ._core.address import Address
from ._core.core import Core
from ._core.settings import Settings
from ._core.wire import payload_members
from ._login import TokenArgument, credential_of
from .credentials import ConsumerApp, Device, User

#: The longest time for which the server collects responses (seconds).
_TIMEOUT_MAX = 60.0
_IDENTITY_BYTES_MAX = 128


@dataclass(frozen=True)
class Options:
    """What `connect` takes; see there."""

    url: str = "http://127.0.0.1:8080"
    token: Optional[TokenArgument] = None
    device: Union[Device, Mapping[str, Any], None] = None
    consumer_app: Union[ConsumerApp, Mapping[str, Any], None] = None
    user: Union[User, Mapping[str, Any], None] = None
    identity: Optional[str] = None
    ssl: Optional[ssl_module.SSLContext] = None
    on_state: Optional[_driver.OnState] = None
    connect_timeout: Optional[float] = 30.0
    request_timeout: float = Settings.request_timeout
    attempt_timeout: float = Settings.attempt_timeout
    backoff_min: float = Settings.backoff_min
    backoff_max: float = Settings.backoff_max
    heartbeat_interval: float = Settings.heartbeat_interval
    heartbeat_timeout: float = Settings.heartbeat_timeout
    queue_max: int = Settings.queue_max
    queue_bytes_max: int = Settings.queue_bytes_max
    message_bytes_max: int = Settings.message_bytes_max

    def driver(self) -> _driver.Driver:
        """Makes what runs a client. Call it on its event loop.

        Raises `ValueError` and `TypeError` for options that cannot be meant.
        """
        address = Address.of(self.url)
        identity = self.identity if self.identity is not None else f"anon-{secrets.token_hex(8)}"
        if not 1 <= len(identity.encode()) <= _IDENTITY_BYTES_MAX:
            raise ValueError(f"an identity has 1 to {_IDENTITY_BYTES_MAX} bytes")
        settings = Settings(**{field.name: getattr(self, field.name) for field in fields(Settings)})
        credential, source = credential_of(
            address, self.token, self.device, self.consumer_app, self.user, self.attempt_timeout, self.ssl
        )
        core = Core(settings, credential, SystemRandom())
        return _driver.Driver(core, _driver.Transport(address, identity, self.ssl), source, self.on_state)


def message_members(name: Optional[str], payload: Any, meta: Any) -> Dict[str, Any]:
    """The members of what is published or broadcast."""
    members = payload_members(payload)
    if name is not None:
        members["name"] = name
    if meta is not None:
        members["meta"] = meta
    return members


def publish_members(name: Optional[str], payload: Any, meta: Any, store: bool, ttl: Optional[float]) -> Dict[str, Any]:
    """The members of what is published."""
    members = message_members(name, payload, meta)
    if not store:
        members["store"] = False
    if ttl is not None:
        if ttl < 0:
            raise ValueError("ttl is a number of seconds, 0 or more")
        members["ttl"] = round(ttl * 1000)
    return members


def broadcast_members(
    name: Optional[str], payload: Any, meta: Any, timeout: float, until: Optional[int]
) -> Dict[str, Any]:
    """The members of what is broadcast."""
    if not 0 < timeout <= _TIMEOUT_MAX:
        raise ValueError(
            f"timeout is in seconds, above 0 and at most {_TIMEOUT_MAX:.0f}, not {timeout!r}; for 2000 ms give 2.0"
        )
    members = message_members(name, payload, meta)
    if until is not None:
        members["until"] = until
    return members


def position_of(since: Union[str, int, None]) -> Optional[int]:
    """A position as a user gives it."""
    if since is None:
        return None
    if isinstance(since, int) and not isinstance(since, bool) and since >= 0:
        return since
    if isinstance(since, str) and since.isascii() and since.isdigit() and len(since) <= 19:
        return int(since)
    raise ValueError(f"a position is 1 to 19 digits, not {since!r}")


def history_members(since: Union[str, int, None], limit: int) -> Dict[str, Any]:
    """The members of a question for history."""
    if not 1 <= limit <= 1000:
        raise ValueError(f"limit is 1 to 1000, not {limit!r}")
    position = position_of(since)
    return {"limit": limit} if position is None else {"limit": limit, "since": str(position)}
