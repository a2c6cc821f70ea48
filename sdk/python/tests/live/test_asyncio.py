"""The asyncio interface against the real server."""

from __future__ import annotations

import asyncio
from typing import Any, Coroutine

import pytest

import antiphon
from antiphon import aio

from .proxy import Proxy
from .server import Server


def on_loop(main: Coroutine[Any, Any, None]) -> None:
    """Runs it, with what asyncio complains about as errors."""

    async def watched() -> None:
        problems: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))
        await asyncio.wait_for(main, 40)
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert left == [] and problems == []

    asyncio.run(watched(), debug=True)


def test_the_guide(server: Server, channel_name: str) -> None:
    async def main() -> None:
        async with aio.connect(server.url) as first, aio.connect(server.url) as second:
            listener = await first.get_channel(channel_name).listen("eventName")

            async def answer() -> None:
                broadcast = await listener.wait(60)
                if broadcast and broadcast["text"] == "hello?":
                    await broadcast.respond("hi there!")

            answering = asyncio.create_task(answer())
            responses = await second.get_channel(channel_name).broadcast("eventName", {"text": "hello?"}, until=1)
            assert responses == ["hi there!"]
            await answering

    on_loop(main())


def test_listeners_as_contexts_and_iterators(server: Server, channel_name: str) -> None:
    async def main() -> None:
        exp = await aio.connect(server.url, identity="ann")
        assert exp.identity == "ann" and exp.state is antiphon.State.ONLINE
        channel = exp.get_channel(channel_name)
        async with channel.listen("n") as listener:
            published = [await channel.publish("n", number) for number in range(3)]
            heard = []
            async for message in listener:
                heard.append(message)
                if len(heard) == 3:
                    listener.cancel()
        assert [message.payload for message in heard] == [0, 1, 2]
        assert [message.position for message in heard] == [one.position for one in published]
        assert [message.publisher for message in heard] == ["ann"] * 3
        history = await channel.history()
        assert [message.payload for message in history.messages] == [0, 1, 2]
        assert (await channel.presence()).occupancy == 0
        await exp.close()
        with pytest.raises(antiphon.ClosedError):
            await channel.publish("n")
        with pytest.raises(antiphon.ClosedError):
            await channel.listen()

    on_loop(main())


def test_waiting_can_be_cancelled_and_has_timeouts(server: Server, channel_name: str) -> None:
    async def main() -> None:
        async with aio.connect(server.url) as exp:
            channel = exp.get_channel(channel_name)
            listener = await channel.listen()
            assert await listener.wait(0) is None
            assert await listener.wait(0.05) is None
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(listener.wait(), 0.05)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(channel.broadcast("x", timeout=30), 0.05)
            await listener.wait(5)
            both = asyncio.gather(listener.wait(5), listener.wait(5))
            await channel.publish("n", 1)
            await channel.publish("n", 2)
            assert sorted(message.payload for message in await both if message) == [1, 2]

    on_loop(main())


def test_many_at_once(server: Server, channel_name: str) -> None:
    async def main() -> None:
        async with aio.connect(server.url) as exp:
            channel = exp.get_channel(channel_name)
            listener = await channel.listen("n", queue_max=3000)
            published = await asyncio.gather(*(channel.publish("n", number) for number in range(2000)))
            positions = [int(one.position) for one in published]
            assert positions == sorted(positions)
            heard = [message.payload for message in [await listener.wait(10) for _ in range(2000)] if message]
            assert heard == list(range(2000))
            # More than the server takes at once.
            responses = await asyncio.gather(*(channel.broadcast("b", timeout=0.2) for _ in range(150)))
            assert responses == [[]] * 150

    on_loop(main())


def test_a_cut_connection(server: Server, proxy: Proxy, channel_name: str) -> None:
    async def main() -> None:
        states: asyncio.Queue[Any] = asyncio.Queue()
        async with aio.connect(proxy.url, on_state=lambda *state: states.put_nowait(state), backoff_max=0.5) as exp:
            channel = exp.get_channel(channel_name)
            listener = await channel.listen()
            for number in range(5):
                proxy.cut()
                await channel.publish("n", number)
            heard = [message.payload for message in [await listener.wait(10) for _ in range(5)] if message]
            assert heard == [0, 1, 2, 3, 4]
        seen = [states.get_nowait() for _ in range(states.qsize())]
        assert seen[0] == (antiphon.State.ONLINE, None) and seen[-1] == (antiphon.State.CLOSED, None)
        assert any(isinstance(error, antiphon.ConnectionLostError) for _, error in seen)

    on_loop(main())


def test_refused_by_something_else(proxy: Proxy) -> None:
    async def main() -> None:
        proxy.cut(shut=True)
        with pytest.raises(antiphon.ConnectTimeoutError):
            await aio.connect(proxy.url, connect_timeout=0.5)
        proxy.reopen()
        with pytest.raises(antiphon.ProblemError) as raised:
            await aio.connect(proxy.url + "/nowhere")
        assert raised.value.status == 404

    on_loop(main())


def test_cancelling_connect(proxy: Proxy) -> None:
    async def main() -> None:
        proxy.cut(shut=True)
        connecting = asyncio.ensure_future(aio.connect(proxy.url))
        await asyncio.sleep(0.1)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting

    on_loop(main())
