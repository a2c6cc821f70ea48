"""Tokens as text: the signed login of a device or an app, and what a token says of its own time.

Nothing is verified here. Only the server can tell whether a token is good.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any, Dict, Mapping, Optional

#: A signed login is good for so long (seconds): long enough for clocks that differ a little, since nobody keeps it.
LOGIN_LIFETIME = 300
#: From here on a time is one in milliseconds.
_MILLISECONDS_FROM = 10**11


def sign(claims: Mapping[str, Any], secret: str) -> str:
    """Makes a JWT (HS256) of these claims."""
    header = _encoded({"alg": "HS256", "typ": "JWT"})
    signed = f"{header}.{_encoded(claims)}"
    digest = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_base64url(digest)}"


def login_token(kind: str, uuid: str, secret: str, unix_now: float) -> str:
    """The signed login of a device (`device`) or consumer app (`consumerApp`)."""
    issued = int(unix_now)
    return sign({"type": kind, "uuid": uuid, "iat": issued, "exp": issued + LOGIN_LIFETIME}, secret)


def lifetime_of(token: str, expiration_ms: Optional[float], unix_now: float) -> Optional[float]:
    """For how many seconds a token that was given at this moment is valid, if that can be known.

    What the token says of both its ends counts before the local clock, which may be wrong.
    """
    claims = claims_of(token)
    issued, expires = _seconds(claims.get("iat")), _seconds(claims.get("exp"))
    if issued is not None and expires is not None and expires > issued:
        return expires - issued
    if expiration_ms is not None:
        expires = expiration_ms / 1000
    return None if expires is None else max(expires - unix_now, 0.0)


def claims_of(token: str) -> Dict[str, Any]:
    """The claims of a JWT, none if it is something else."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _seconds(value: Any) -> Optional[float]:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value / 1000 if value >= _MILLISECONDS_FROM else float(value)


def _encoded(value: Mapping[str, Any]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
