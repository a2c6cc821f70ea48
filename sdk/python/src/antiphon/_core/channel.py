"""Which channel: a name and two flags."""

from __future__ import annotations

from typing import Any, Dict, NamedTuple

_NAME_BYTES_MAX = 1024


class ChannelKey(NamedTuple):
    """A channel of the org. Other flags are another channel."""

    name: str
    system: bool = False
    consumer: bool = False

    @staticmethod
    def checked(name: str, system: bool, consumer: bool) -> ChannelKey:
        """Makes a key of what a user gave.

        Raises `TypeError` for a name that is no string, and `ValueError` for one that no channel can have.
        """
        if not isinstance(name, str):
            raise TypeError(f"a channel's name is a string, not {type(name).__name__}")
        try:
            length = len(name.encode())
        except UnicodeEncodeError as error:
            raise ValueError("a channel's name is Unicode without lone surrogates") from error
        if not 1 <= length <= _NAME_BYTES_MAX:
            raise ValueError(f"a channel's name has 1 to {_NAME_BYTES_MAX} bytes, not {length}")
        if any(ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F for c in name):
            raise ValueError("a channel's name has no control characters")
        return ChannelKey(name, bool(system), bool(consumer))

    def members(self) -> Dict[str, Any]:
        """The members that name this channel in a message."""
        members: Dict[str, Any] = {"channel": self.name}
        if self.system:
            members["system"] = True
        if self.consumer:
            members["consumer"] = True
        return members
