"""The blocking interface against the real server."""

from __future__ import annotations

import gc
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from typing import Any, Callable, List, Tuple, cast

import pytest

import antiphon

from .conftest import Connect
from .proxy import Proxy
from .server import Server, free_port

GUIDE_CLIENT_1 = """
channel = exp.get_channel('testChannel')
listener = channel.listen('eventName')
ready()
broadcast = listener.wait(60)
if broadcast and broadcast['text'] == 'hello?':
   broadcast.respond('hi there!')
"""
GUIDE_CLIENT_2 = """
channel = exp.get_channel('testChannel')
responses = channel.broadcast('eventName', { 'text': 'hello?' })
print(responses)  # [ 'hi there' ]
"""


def in_thread(function: Callable[[], Any]) -> Callable[[], Any]:
    """Runs it, and gives what waits for its result."""
    results: queue.Queue[Tuple[Any, Any]] = queue.Queue()

    def run() -> None:
        try:
            results.put((function(), None))
        except BaseException as error:
            results.put((None, error))

    threading.Thread(target=run, daemon=True).start()

    def wait() -> Any:
        result, error = results.get(timeout=30)
        if error is not None:
            raise error
        return result

    return wait


def test_the_programs_of_the_guide(connect: Connect, capsys: pytest.CaptureFixture[str]) -> None:
    listens = threading.Event()
    first = in_thread(lambda: exec(GUIDE_CLIENT_1, {"exp": connect(), "ready": listens.set}))
    assert listens.wait(10)
    exec(GUIDE_CLIENT_2, {"exp": connect()})
    first()
    assert capsys.readouterr().out == "['hi there!']\n"


def test_responses_of_several_listeners_and_who_they_are(connect: Connect, channel_name: str) -> None:
    one, other = connect(identity="one"), connect(identity="other")
    listeners = [client.get_channel(channel_name).listen("frage ✓") for client in (one, one, other)]

    def answer(listener: antiphon.Listener, number: int) -> None:
        message = listener.wait(10)
        assert message is not None and message.expects_replies and message.payload == {"ö": "日本"}
        message.respond(number)

    answers = [in_thread(lambda li=li, n=n: answer(li, n)) for n, li in enumerate(listeners)]  # type: ignore[misc]
    responses = other.get_channel(channel_name).broadcast("frage ✓", {"ö": "日本"}, timeout=10, until=3)
    for wait in answers:
        wait()
    assert sorted(responses) == [0, 1, 2] and responses.complete
    assert {(detail.payload, detail.publisher) for detail in responses.details} == {
        (0, "one"),
        (1, "one"),
        (2, "other"),
    }


def test_a_broadcast_takes_its_time(connect: Connect, channel_name: str) -> None:
    channel = connect().get_channel(channel_name)
    began = time.monotonic()
    assert channel.broadcast("nobody", timeout=0.3) == []
    assert 0.25 <= time.monotonic() - began < 3


def test_fling(connect: Connect, channel_name: str) -> None:
    channel = connect().get_channel(channel_name)
    with channel.listen("fling") as listener:
        assert channel.fling({"a": 1}, timeout=0.1) == []
        message = listener.wait(5)
        assert message is not None and message["a"] == 1 and message.name == "fling"


@pytest.mark.parametrize("payload", [None, 0, "text", "", [1, [2]], {"a": {"b": None}}, b"", b"\x00\xff", 2**70, True])
def test_payloads_arrive_as_they_were_sent(connect: Connect, channel_name: str, payload: Any) -> None:
    channel = connect().get_channel(channel_name)
    listener = channel.listen()
    published = channel.publish("p", payload, meta={"m": 1})
    message = listener.wait(5)
    assert message is not None
    assert message.payload == payload and type(message.payload) is type(payload)
    assert (message.position, message.meta, message.channel) == (published.position, {"m": 1}, channel_name)


def test_messages_are_read_by_key(connect: Connect, channel_name: str) -> None:
    channel = connect().get_channel(channel_name)
    listener = channel.listen()
    channel.publish("p", {"text": "hi"})
    channel.publish("p", "hi")
    message, plain = listener.wait(5), listener.wait(5)
    assert message and plain
    assert message["text"] == "hi" and "text" in message and message.get("none") is None and message.get("none", 1) == 1
    with pytest.raises(KeyError):
        message["none"]
    with pytest.raises(KeyError):
        plain["text"]
    with pytest.raises(TypeError):
        list(cast(Any, message))


def test_waiting_ends_when_its_time_is_up(connect: Connect, channel_name: str) -> None:
    listener = connect().get_channel(channel_name).listen("x")
    assert listener.wait(0) is None
    began = time.monotonic()
    assert listener.wait(0.2) is None
    assert 0.2 <= time.monotonic() - began < 2


def test_listeners_hear_their_names_only_until_they_are_cancelled(connect: Connect, channel_name: str) -> None:
    channel = connect().get_channel(channel_name)
    all_of_it, hello = channel.listen(), channel.listen("hello")
    for name in ("hello", "other", "hello"):
        channel.publish(name, name)
    assert [message.payload for message in (all_of_it.wait(5), all_of_it.wait(5), all_of_it.wait(5)) if message] == [
        "hello",
        "other",
        "hello",
    ]
    assert [message.payload for message in (hello.wait(5), hello.wait(5)) if message] == ["hello", "hello"]
    hello.cancel()
    assert not hello.active and all_of_it.active
    with pytest.raises(antiphon.ClosedError):
        hello.wait(0)
    assert list(hello) == []
    channel.publish("hello", 4)
    message = all_of_it.wait(5)
    assert message is not None and message.payload == 4


def test_flags_make_other_channels(connect: Connect, channel_name: str) -> None:
    client = connect()
    plain, consumer = client.get_channel(channel_name), client.get_channel(channel_name, consumer=True)
    listener = plain.listen()
    consumer.publish("c", 1)
    plain.publish("p", 2)
    message = listener.wait(5)
    assert message is not None and message.payload == 2 and not message.consumer


def test_an_unread_listener_drops_the_oldest(connect: Connect, channel_name: str) -> None:
    channel = connect().get_channel(channel_name)
    listener, witness = channel.listen(queue_max=2), channel.listen()
    for number in range(5):
        channel.publish("n", number)
    for _ in range(5):
        witness.wait(5)
    assert [message.payload for message in (listener.wait(0), listener.wait(0)) if message] == [3, 4]
    assert listener.dropped == 3


def test_history_and_presence(connect: Connect, channel_name: str) -> None:
    channel = connect().get_channel(channel_name)
    for number in range(5):
        channel.publish("n", number)
    newest = channel.history(2)
    assert [message.payload for message in newest.messages] == [3, 4] and not newest.gap
    first = channel.history(3, since=0)
    assert [message.payload for message in first.messages] == [0, 1, 2]
    rest = channel.history(since=first.position)
    assert [message.payload for message in rest.messages] == [3, 4]
    replayed = channel.listen(since=first.position)
    message = replayed.wait(5)
    assert message is not None and message.payload == 3
    assert channel.presence() == antiphon.Presence(0, [])


def test_responding_too_late_or_to_no_broadcast(connect: Connect, channel_name: str) -> None:
    channel = connect().get_channel(channel_name)
    listener = channel.listen()
    channel.publish("p")
    channel.broadcast("b", timeout=0.05)
    for _ in range(2):
        message = listener.wait(5)
        assert message is not None
        with pytest.raises(antiphon.NobodyCollectsError) as raised:
            message.respond(1)
        assert raised.value.status == 404


def test_curl_answers_and_asks(server: Server, connect: Connect, channel_name: str) -> None:
    channel = connect().get_channel(channel_name)
    listener = channel.listen("ask")
    path = f"/v1/channels/{channel_name.replace('/', '%2F').replace(' ', '%20')}".encode().decode("latin-1")
    path = "".join(c if c.isascii() else f"%{ord(c):02X}" for c in path)
    asked = in_thread(lambda: server.post(f"{path}/broadcasts", {"q": 1}, name="ask", timeout="5000", until="1"))
    message = listener.wait(10)
    assert message is not None and message["q"] == 1
    message.respond(b"\x01")
    assert asked()["replies"][0]["payload"] == "AQ=="


KEYS = """
[[org]]
name = "acme"
[[org.key]]
key = "reader-key-1"
identity = "reader"
allow = ["subscribe"]
channels = ["room"]
"""


def test_refusals_are_typed(own_server: Callable[[str], Server], connect: Connect) -> None:
    server = own_server(KEYS)
    client = connect(server.url, token="reader-key-1", identity="not looked at")
    assert client.identity == "reader"
    with pytest.raises(antiphon.NotPermittedError) as raised:
        client.get_channel("room").publish("x")
    assert (raised.value.type, raised.value.channel, raised.value.permission) == ("not-permitted", "room", "publish")
    with pytest.raises(antiphon.NotPermittedError) as raised:
        client.get_channel("other", consumer=True).listen()
    assert (raised.value.channel, raised.value.consumer, raised.value.status) == ("other", True, 403)
    began = time.monotonic()
    with pytest.raises(antiphon.UnauthorizedError) as unauthorized:
        connect(server.url, token="wrong-key-12")
    assert "wrong-key-12" not in str(unauthorized.value)
    assert time.monotonic() - began < 5
    assert client.get_channel("room").listen().active


def test_nobody_broadcasts_on_system_channels(connect: Connect, channel_name: str) -> None:
    channel = connect().get_channel(channel_name, system=True)
    assert channel.listen().active
    with pytest.raises(antiphon.NotPermittedError) as raised:
        channel.broadcast("x")
    assert raised.value.system


def test_too_large_is_told_before_it_is_sent(connect: Connect, channel_name: str) -> None:
    channel = connect().get_channel(channel_name)
    with pytest.raises(antiphon.TooLargeError):
        channel.publish("x", "x" * 2_000_000)
    assert channel.publish("x", "small").stored


def test_a_message_too_long_for_the_server_is_the_only_one_to_fail(
    own_server: Callable[[str], Server], connect: Connect, channel_name: str
) -> None:
    client = connect(own_server("").url, message_bytes_max=10_000_000)
    channel = client.get_channel(channel_name)
    listener = channel.listen()
    with pytest.raises(antiphon.TooLargeError):
        channel.publish("x", "x" * 2_000_000)
    channel.publish("x", "small")
    message = listener.wait(10)
    assert message is not None and message.payload == "small"


def test_arguments_that_cannot_be_meant(connect: Connect) -> None:
    channel = connect().get_channel()
    assert channel.name == "default"
    for wrong in (
        lambda: channel.broadcast("x", timeout=2000),
        lambda: channel.broadcast("x", timeout=0),
        lambda: channel.publish("x", float("nan")),
        lambda: channel.publish("x", ttl=-1),
        lambda: channel.listen(since="then"),
        lambda: channel.listen(queue_max=0),
        lambda: channel.history(0),
        lambda: connect(url="127.0.0.1:8080"),
        lambda: connect(identity=""),
        lambda: connect(backoff_max=0),
    ):
        with pytest.raises(ValueError):
            wrong()
    for mistyped in (
        lambda: channel.publish("x", object()),
        lambda: connect(token="a", user=antiphon.User("a", "b")),
        lambda: connect(device={"uuid": "a"}),
        lambda: connect(token=5),
    ):
        with pytest.raises(TypeError):
            mistyped()


def test_nobody_there() -> None:
    began = time.monotonic()
    with pytest.raises(antiphon.ConnectTimeoutError) as raised:
        antiphon.connect(f"http://127.0.0.1:{free_port()}", connect_timeout=1.0)
    assert 0.9 <= time.monotonic() - began < 6
    assert isinstance(raised.value.__cause__, antiphon.UnreachableError)


def test_what_is_published_during_a_break_comes_once(
    server: Server, proxy: Proxy, connect: Connect, channel_name: str
) -> None:
    states: queue.Queue[antiphon.State] = queue.Queue()
    client = connect(proxy.url, on_state=lambda state, error: states.put(state))
    assert states.get(timeout=5) is antiphon.State.ONLINE
    channel = client.get_channel(channel_name)
    listener = channel.listen()
    channel.publish("n", 0)
    proxy.cut(shut=True)
    assert states.get(timeout=5) is antiphon.State.CONNECTING
    server.publish(channel_name, 1)
    own = in_thread(lambda: channel.publish("n", 2))
    server.publish(channel_name, 3)
    proxy.reopen()
    assert own().stored
    channel.publish("n", 4)
    heard = [message.payload for message in (listener.wait(10) for _ in range(5)) if message]
    assert (heard[0], heard[-1]) == (0, 4) and sorted(heard) == [0, 1, 2, 3, 4]
    assert listener.wait(0.1) is None and listener.gaps == 0


def test_an_interrupted_broadcast_says_so(proxy: Proxy, connect: Connect, channel_name: str) -> None:
    asker, answerer = connect(proxy.url).get_channel(channel_name), connect().get_channel(channel_name)
    listener, witness = answerer.listen(), asker.listen("after")
    asked = in_thread(lambda: asker.broadcast("ask", timeout=30))
    message = listener.wait(10)
    assert message is not None
    message.respond("early")
    # What the asker's connection brings after the response.
    answerer.publish("after")
    assert witness.wait(10) is not None
    proxy.cut()
    with pytest.raises(antiphon.BroadcastInterruptedError) as raised:
        asked()
    assert raised.value.responses == ["early"]
    assert asker.broadcast("again", timeout=0.1) == []


def test_a_server_that_crashes_and_comes_back(
    own_server: Callable[[str], Server], connect: Connect, channel_name: str
) -> None:
    server = own_server("")
    channel = connect(server.url).get_channel(channel_name)
    listener = channel.listen()
    channel.publish("n", 1)
    server.kill()
    publishing = in_thread(lambda: channel.publish("n", 2))
    server.start()
    server.publish(channel_name, 3)
    publishing()
    heard = [message.payload for message in (listener.wait(15) for _ in range(3)) if message]
    assert sorted(heard) == [1, 2, 3] and heard[0] == 1
    assert listener.wait(0.1) is None
    server.terminate()
    server.start()
    server.publish(channel_name, 4)
    message = listener.wait(15)
    assert message is not None and message.payload == 4


def test_many_threads_share_a_client(connect: Connect, channel_name: str) -> None:
    channel = connect().get_channel(channel_name)
    listener = channel.listen()

    def publish(thread: int) -> None:
        for number in range(40):
            channel.publish("n", [thread, number])

    threads = [in_thread(lambda thread=thread: publish(thread)) for thread in range(8)]  # type: ignore[misc]
    for wait in threads:
        wait()
    heard: List[Any] = [message.payload for message in (listener.wait(10) for _ in range(320)) if message]
    for thread in range(8):
        assert [number for one, number in heard if one == thread] == list(range(40))


def test_closing_ends_whoever_waits(connect: Connect, channel_name: str) -> None:
    client = connect()
    channel = client.get_channel(channel_name)
    listener, iterated, witness = channel.listen("never"), channel.listen("never"), channel.listen("x")
    iterating = in_thread(lambda: list(iterated))
    waiting = [
        in_thread(lambda: listener.wait()),
        in_thread(lambda: channel.broadcast("x", timeout=30)),
    ]
    assert witness.wait(10) is not None
    client.close()
    client.close()
    for wait in waiting:
        with pytest.raises(antiphon.ClosedError):
            wait()
    assert iterating() == []
    assert client.state is antiphon.State.CLOSED
    with pytest.raises(antiphon.ClosedError):
        channel.publish("x")
    with pytest.raises(antiphon.ClosedError):
        channel.listen()


def test_callbacks_cannot_wait_for_their_own_client(connect: Connect, channel_name: str) -> None:
    raised: queue.Queue[BaseException] = queue.Queue()
    clients: List[antiphon.Client] = []

    def on_state(state: antiphon.State, error: object) -> None:
        if clients:
            try:
                clients[0].get_channel(channel_name).publish("x")
            except RuntimeError as refused:
                raised.put(refused)

    clients.append(connect(on_state=on_state))
    clients[0].close()
    assert "callback" in str(raised.get(timeout=5))


# Whoever was begun in the background ignores Ctrl-C, and so does what it begins: the program has to say that it does not.
PROGRAM = """
import signal, sys, antiphon
signal.signal(signal.SIGINT, signal.default_int_handler)
exp = antiphon.connect(sys.argv[1])
channel = exp.get_channel("program")
listener = channel.listen("never")
print("ready", flush=True)
"""


def program(url: str, rest: str) -> subprocess.Popen[str]:
    started = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM + rest, url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert started.stdout is not None and started.stdout.readline() == "ready\n"
    return started


@pytest.mark.parametrize("waits", ["listener.wait()", "listener.wait(60)", "channel.broadcast('x', timeout=60)"])
def test_control_c_interrupts(server: Server, waits: str) -> None:
    started = program(server.url, waits)
    time.sleep(0.3)
    began = time.monotonic()
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=10)
    assert time.monotonic() - began < 5
    assert said.strip().endswith("KeyboardInterrupt"), said
    assert said.count("Traceback") == 1, said


def test_a_program_that_just_ends(server: Server) -> None:
    started = program(server.url, "")
    _, said = started.communicate(timeout=10)
    assert (started.returncode, said) == (0, "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_fork_is_told(server: Server) -> None:
    child = """
import os, warnings
warnings.simplefilter("ignore")
if os.fork() == 0:
    for call in (lambda: channel.publish("x"), lambda: listener.wait(1)):
        try:
            call()
        except RuntimeError as error:
            print("told" if "fork" in str(error) else error, flush=True)
    exp.close()
    os._exit(0)
os.wait()
print(channel.publish("x").stored)
"""
    out, said = program(server.url, child).communicate(timeout=10)
    assert (out, said) == ("told\ntold\nTrue\n", "")


def test_what_the_server_lost_is_told_as_a_gap(
    own_server: Callable[[str], Server], connect: Connect, channel_name: str
) -> None:
    server = own_server('[[org]]\nname = "demo"\nopen = true\n[[org.rule]]\nchannels = "*"\npersist = false\n')
    gaps: queue.Queue[antiphon.Gap] = queue.Queue()
    channel = connect(server.url).get_channel(channel_name)
    listener = channel.listen(on_gap=gaps.put)
    first = channel.publish("n", 1)
    assert listener.wait(5) is not None
    server.kill()
    server.start()
    gap = gaps.get(timeout=15)
    assert (gap.channel.name, gap.since) == (channel_name, first.position)
    channel.publish("n", 2)
    message = listener.wait(5)
    assert message is not None and message.payload == 2
    assert listener.gaps == 1


def test_a_client_that_nobody_holds_goes_on(server: Server, channel_name: str) -> None:
    channel = antiphon.connect(server.url).get_channel(channel_name)
    gc.collect()
    assert channel.publish("n").stored
