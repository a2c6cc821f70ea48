"""A thread with an event loop, and how other threads wait for it."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import os
import sys
import threading
from typing import Any, Callable, Coroutine, Optional, Set, TypeVar

from ._driver import Driver
from .errors import ClosedError

_Result = TypeVar("_Result")

#: On Windows a wait on a lock cannot be interrupted, so that Ctrl-C takes so long at most (seconds). Elsewhere this only
#: keeps timeouts within what locks take.
SLICE = 0.25 if sys.platform == "win32" else 3600.0
#: How long closing may take, and the thread to end (seconds).
_CLOSE_TIMEOUT = 10.0
_JOIN_TIMEOUT = 5.0


class LoopThread:
    """A thread with an event loop."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._closed = False
        self._closing = threading.Lock()
        self._submitting = threading.Lock()
        self._driver: Optional[Driver] = None
        self._thread = threading.Thread(target=self._run, name="antiphon", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        """Runs a coroutine there, and waits for what it comes to. Ctrl-C cancels it."""
        try:
            self.raise_if_foreign()
            with self._submitting:
                if self._closed:
                    raise ClosedError("the client was closed")
                future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except BaseException:
            coroutine.close()
            raise
        try:
            return _wait(future)
        except concurrent.futures.CancelledError:
            raise ClosedError("the client was closed") from None
        except BaseException:
            future.cancel()
            raise

    def post(self, callback: Callable[..., None], *arguments: Any) -> None:
        """Has a function called there, if it still runs."""
        if os.getpid() != self._process:
            return
        # Where the loop is closed, all that the call could be about is gone.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, *arguments)

    def raise_if_foreign(self) -> None:
        """Raises `RuntimeError` where waiting would be for ever: in another process, and in a callback of the client."""
        if os.getpid() != self._process:
            raise RuntimeError("an antiphon client does not survive a fork: connect in the child")
        if threading.current_thread() is self._thread:
            raise RuntimeError("a callback of a client cannot wait for the client: hand over to another thread")

    def hold(self, driver: Driver) -> None:
        """Takes a driver that was made there, to close it in the end."""
        self._driver = driver
        _running.add(self)

    def close(self) -> None:
        """Closes the driver, and ends the thread."""
        if os.getpid() != self._process:
            # The connection is the parent's.
            return
        self.raise_if_foreign()
        with self._closing:
            if self._closed or self._driver is None:
                return
            _running.discard(self)
            closing = asyncio.run_coroutine_threadsafe(self._driver.close(), self._loop)
            try:
                # Where a callback of the user's does not return, it is left alone.
                with contextlib.suppress(concurrent.futures.TimeoutError):
                    closing.result(_CLOSE_TIMEOUT)
            finally:
                self.stop()

    def stop(self) -> None:
        """Ends the thread."""
        with self._submitting:
            # Whatever was submitted comes before the stop, and ends with it.
            self._closed = True
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_JOIN_TIMEOUT)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()


def _wait(future: concurrent.futures.Future[_Result]) -> _Result:
    while True:
        try:
            return future.result(SLICE)
        except concurrent.futures.TimeoutError:
            if future.done():
                # It came at the last moment, or the error is the result itself.
                return future.result()


_running: Set[LoopThread] = set()


def _close_all() -> None:
    """So that the server sees the clients of a program that ends go, not break off."""
    for loop in list(_running):
        loop.close()


atexit.register(_close_all)
