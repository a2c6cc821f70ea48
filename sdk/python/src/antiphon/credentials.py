"""Who a client is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional


@dataclass(frozen=True)
class Device:
    """A device, by its uuid and secret."""

    uuid: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class ConsumerApp:
    """A consumer app, by its uuid and API key."""

    uuid: str
    api_key: str = field(repr=False)


@dataclass(frozen=True)
class User:
    """A user, by name and password; the organization where several have a user of that name."""

    username: str
    password: str = field(repr=False)
    organization: Optional[str] = None
