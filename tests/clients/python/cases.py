"""What the client of python-socketio makes of the server. `suites/python.test.mjs` runs it and reads what it prints.

    python cases.py URL URL_OF_A_SERVER_WITH_MESSAGEPACK

Each case is told in a line of JSON: its name, and its error if it failed. A line `{"do": "restart"}` asks whoever runs it
to kill the server and to start it anew; it is done when a line comes back.
"""

import json
import os
import queue
import sys
import traceback

import engineio.payload
import socketio

if os.environ.get("REFERENCE"):
    # By itself the client gives up on a poll that brings more packets than 16, as those of the reference do.
    engineio.payload.Payload.max_decode_packets = 10_000

SOON_SECS = 10
BURST = 1000

WAYS = {
    "polling": (["polling"], "polling"),
    "websocket": (["websocket"], "websocket"),
    "upgrade": (["polling", "websocket"], "websocket"),
}

TEXTS = ["", "Grüße, мир, 日本語", "𝄞 👩‍👩‍👧 🎶", "quotes \" \\ \u0000 \u001e \u2028", "🎶" * 20_000]


class Listener:
    """A client whose events can be awaited."""

    def __init__(self, url, way, namespace="/", query="", auth=None, **options):
        transports, self.ends = WAYS[way]
        self.namespace = namespace
        self.events = {}
        self.connections = queue.Queue()
        self.refusals = queue.Queue()
        self.ends_because = queue.Queue()
        self.client = socketio.Client(handle_sigint=False, **options)
        self.client.on("*", self._heard, namespace=namespace)
        self.client.on("connect", lambda: self.connections.put(True), namespace=namespace)
        self.client.on("connect_error", self.refusals.put, namespace=namespace)
        self.client.on("disconnect", self.ends_because.put, namespace=namespace)
        self.client.connect(
            url + query, transports=transports, namespaces=[namespace], auth=auth, wait_timeout=SOON_SECS
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.disconnect()

    def emit(self, event, *values):
        self.client.emit(event, values, namespace=self.namespace)

    def ask(self, event, *values):
        """What the server acknowledges: a value, or a tuple of several."""
        return self.client.call(event, values, namespace=self.namespace, timeout=SOON_SECS)

    def next(self, event):
        """The values of the next event of that name."""
        return self._queue(event).get(timeout=SOON_SECS)

    def answer(self, event, handler):
        self.client.on(event, handler, namespace=self.namespace)

    def _heard(self, event, *values):
        self._queue(event).put(values)

    def _queue(self, event):
        return self.events.setdefault(event, queue.Queue())


def same(got, expected):
    if got != expected:
        raise AssertionError(f"{got!r:.400} in place of {expected!r:.400}")


def connects(url, way):
    with Listener(url, way) as listener:
        me = listener.ask("who am i")
        same(me["transport"], listener.ends)
        same(me["id"], listener.client.get_sid())


def echoes(url, way):
    with Listener(url, way) as listener:
        for values in [(), (1, -0.5, True, None, "text"), ({"list": [1, [2, {"three": 3}]]}, []), tuple(TEXTS)]:
            listener.emit("echo", *values)
            same(listener.next("echo"), values)


def acknowledges(url, way):
    with Listener(url, way) as listener:
        same(listener.ask("answer", "one"), "one")
        same(listener.ask("answer", 1, "two", {"three": "🎶"}), (1, "two", {"three": "🎶"}))
        listener.answer("question", lambda one, two: (two, one))
        listener.emit("ask me", 5000, "one", 2)
        same(listener.next("answered"), (None, 2, "one"))


def binary(url, way):
    data = bytes(range(256))
    with Listener(url, way) as listener:
        values = (data, {"deep": [{"down": data}, "text"]}, b"", b"x" * 200_000)
        listener.emit("echo", *values)
        same(listener.next("echo"), values)
        same(listener.ask("measure", data), 256)
        same(listener.ask("answer", {"bytes": data}, data), ({"bytes": data}, data))
        listener.answer("question", lambda asked: asked + asked)
        listener.emit("ask me", 5000, data)
        same(listener.next("answered"), (None, data + data))


def bursts(url, way):
    with Listener(url, way) as listener:
        listener.emit("count", BURST)
        for number in range(BURST):
            listener.emit("echo", number)
        # The client hands each event to a thread of its own: those that it hands over later may be there before.
        same(sorted(listener.next("number")[0] for _ in range(BURST)), list(range(BURST)))
        same(sorted(listener.next("echo")[0] for _ in range(BURST)), list(range(BURST)))


def namespaces(url, way):
    with Listener(url, way, "/custom", "?color=blue", {"token": "ü"}) as listener:
        same(listener.next("auth"), ({"token": "ü"},))
        same(listener.ask("who am i")["query"]["color"], "blue")
    with Listener(url, way, "/members", auth={"token": "secret"}) as listener:
        same(listener.ask("answer", 1), 1)


def refusals(url, way):
    for namespace in ["/unknown", "/members"]:
        try:
            Listener(url, way, namespace, reconnection=False)
        except socketio.exceptions.ConnectionError:
            continue
        raise AssertionError(f"{namespace} let it in")


def rooms(url, way):
    with Listener(url, way) as one, Listener(url, way) as two, Listener(url, "websocket") as speaker:
        one.ask("join", "python ☕")
        speaker.emit("say", "python ☕", "text", b"bytes")
        same(one.next("said"), ("text", b"bytes"))
        speaker.emit("announce", "to all")
        same(one.next("announced"), ("to all",))
        same(two.next("announced"), ("to all",))
        same(two.events.get("said"), None)


def ends(url, way):
    reason = socketio.Client.reason
    for how in ["namespace", "connection"]:
        with Listener(url, way, reconnection=False) as listener:
            listener.emit("bye", how)
            same(listener.ends_because.get(timeout=SOON_SECS), reason.SERVER_DISCONNECT)
    with Listener(url, way, reconnection=False) as listener:
        listener.client.disconnect()
        same(listener.ends_because.get(timeout=SOON_SECS), reason.CLIENT_DISCONNECT)


def reconnects(url, way):
    with Listener(url, way, reconnection_delay=0.05, reconnection_delay_max=0.1) as listener:
        listener.connections.get(timeout=SOON_SECS)
        before = listener.client.get_sid()
        print(json.dumps({"do": "restart"}), flush=True)
        sys.stdin.readline()
        listener.connections.get(timeout=SOON_SECS)
        if listener.client.get_sid() == before:
            raise AssertionError("a server that forgot all gave the same id again")
        same(listener.ask("answer", "back"), "back")


def messagepack(url, way):
    with Listener(url, way, serializer="msgpack") as listener:
        values = (1, "Grüße 🎶", {"deep": [b"\x00\xff"]}, None)
        listener.emit("echo", *values)
        same(listener.next("echo"), values)
        same(listener.ask("answer", *values), values)


def main(url, msgpack_url):
    cases = [connects, echoes, acknowledges, binary, bursts, namespaces, refusals, rooms, ends, reconnects]
    for way in WAYS:
        for case, server in [*((case, url) for case in cases), (messagepack, msgpack_url)]:
            error = None
            try:
                case(server, way)
            except Exception:  # pylint: disable=broad-except
                error = traceback.format_exc(limit=-4)
            print(json.dumps({"test": f"{case.__name__} by {way}", "error": error}), flush=True)


main(*sys.argv[1:])
