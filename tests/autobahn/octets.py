"""Python 2's byte strings, as far as the Autobahn suite needs them.

The suite writes octets as `str`. Ported, such a `str` has one character for each octet (Latin-1), and becomes `bytes`
where it is handed to the network. `port_to_python3.py` copies this module into the ported package.
"""

import binascii as _binascii

__all__ = ["binascii", "octets", "text", "utf8"]


def octets(value):
    """The bytes of a string of octets; bytes and None as they are."""
    return value.encode("latin-1") if isinstance(value, str) else value


def text(value):
    """The string of octets of these bytes; strings and None as they are."""
    return value.decode("latin-1") if isinstance(value, (bytes, bytearray, memoryview)) else value


def utf8(character):
    """A character's UTF-8 as a string of octets. Surrogates pass, as the suite sends them to see them refused."""
    return text(character.encode("utf-8", "surrogatepass"))


class binascii:
    """The two functions of the module of this name that the suite calls."""

    @staticmethod
    def hexlify(value):
        return _binascii.hexlify(octets(value)).decode("ascii")

    b2a_hex = hexlify
