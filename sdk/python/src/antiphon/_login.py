"""Where a client's tokens come from."""

from __future__ import annotations

import asyncio
import inspect
import json
import ssl as ssl_module
import time
from typing import Any, Awaitable, Callable, Dict, Mapping, Optional, Protocol, Tuple, Type, TypeVar, Union

from . import _http
from ._core.address import Address
from ._core.credential import Credential, Source, Token
from ._core.tokens import lifetime_of, login_token
from .credentials import ConsumerApp, Device, User
from .errors import AntiphonError, UnreachableError

#: A token, or a function that gives one, also an asynchronous one.
TokenArgument = Union[str, Callable[[], Union[str, Awaitable[str]]]]

#: A clock that differs by more than this (seconds) from the server's is taken to be wrong.
_SKEW_MAX = 30.0

_Named = TypeVar("_Named", Device, ConsumerApp, User)


class TokenSource(Protocol):
    """Gives tokens."""

    async def fetch(self, previous: Optional[str]) -> Token:
        """Another token for `previous`, or the first one.

        Raises an `AntiphonError` when there is none.
        """


def credential_of(
    address: Address,
    token: Optional[TokenArgument],
    device: Union[Device, Mapping[str, Any], None],
    consumer_app: Union[ConsumerApp, Mapping[str, Any], None],
    user: Union[User, Mapping[str, Any], None],
    timeout: float,
    ssl: Optional[ssl_module.SSLContext],
) -> Tuple[Credential, Optional[TokenSource]]:
    """Makes of what a user gave what the core has to know, and who fetches tokens for it.

    Raises `TypeError` where two are given, or one is not what it should be.
    """
    given = [one for one in (token, device, consumer_app, user) if one is not None]
    if len(given) > 1:
        raise TypeError("give one of token, device, consumer_app and user")
    if not given:
        return Credential(Source.NONE), None
    if isinstance(token, str):
        return Credential(Source.STATIC, token), None
    if token is not None:
        if not callable(token):
            raise TypeError(f"token is a string or a function, not {type(token).__name__}")
        return Credential(Source.FETCHED), _Function(token)
    if device is not None:
        who: Union[Device, ConsumerApp, User] = _named(Device, device)
    elif consumer_app is not None:
        who = _named(ConsumerApp, consumer_app)
    else:
        assert user is not None
        who = _named(User, user)
    return Credential(Source.FETCHED), _Login(address, who, timeout, ssl)


def _named(kind: Type[_Named], given: Union[_Named, Mapping[str, Any]]) -> _Named:
    if isinstance(given, kind):
        return given
    if not isinstance(given, Mapping):
        raise TypeError(f"expected {kind.__name__} or a mapping with its fields, not {type(given).__name__}")
    return kind(**given)


class _Function:
    """Asks a function of the user's."""

    def __init__(self, function: Callable[[], Union[str, Awaitable[str]]]) -> None:
        self._function = function

    async def fetch(self, previous: Optional[str]) -> Token:
        try:
            if inspect.iscoroutinefunction(self._function):
                text = await self._function()
            else:
                # It may block, as one that asks another server does.
                given = await asyncio.get_running_loop().run_in_executor(None, self._function)
                text = await given if inspect.isawaitable(given) else given
        except AntiphonError:
            raise
        except Exception as error:
            raise UnreachableError(f"the function for the token raised {error!r}") from error
        if not isinstance(text, str):
            raise UnreachableError(f"the function for the token gave {type(text).__name__}, not a string")
        return Token(text, lifetime_of(text, None, time.time()))


class _Login:
    """Logs in, and has tokens refreshed."""

    def __init__(
        self,
        address: Address,
        who: Union[Device, ConsumerApp, User],
        timeout: float,
        ssl: Optional[ssl_module.SSLContext],
    ) -> None:
        self._address = address
        self._who = who
        self._timeout = timeout
        self._ssl = ssl

    async def fetch(self, previous: Optional[str]) -> Token:
        if previous is None:
            answer = await self._login()
        else:
            answer = await self._post(self._address.refresh(), {"Authorization": f"Bearer {previous}"}, b"")
        if answer.status != 200:
            raise answer.problem()
        token = answer.body.get("token") if isinstance(answer.body, dict) else None
        if not isinstance(token, str):
            raise UnreachableError(f"{self._address.login()} answered without a token: is this an Antiphon server?")
        expiration = answer.body.get("expiration")
        is_time = isinstance(expiration, (int, float)) and not isinstance(expiration, bool)
        return Token(token, lifetime_of(token, expiration if is_time else None, time.time()), refreshable=True)

    async def _login(self) -> _http.Answer:
        answer = await self._post_login(time.time())
        signed = not isinstance(self._who, User)
        if answer.status == 401 and signed and answer.date is not None and abs(answer.date - time.time()) > _SKEW_MAX:
            # Devices often have no clock of their own: what is signed by the server's time may be taken.
            return await self._post_login(answer.date)
        return answer

    async def _post_login(self, unix_now: float) -> _http.Answer:
        body = json.dumps(login_body(self._who, unix_now)).encode()
        return await self._post(self._address.login(), {"Content-Type": "application/json"}, body)

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> _http.Answer:
        run = asyncio.get_running_loop().run_in_executor
        return await run(None, _http.post, url, headers, body, self._timeout, self._ssl)


def login_body(who: Union[Device, ConsumerApp, User], unix_now: float) -> Dict[str, Any]:
    """What is posted to log in."""
    if isinstance(who, Device):
        return {"token": login_token("device", who.uuid, who.secret, unix_now)}
    if isinstance(who, ConsumerApp):
        return {"token": login_token("consumerApp", who.uuid, who.api_key, unix_now)}
    body = {"type": "user", "username": who.username, "password": who.password}
    if who.organization is not None:
        body["organization"] = who.organization
    return body
