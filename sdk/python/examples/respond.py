"""Client 1 of the guide: answers a broadcast. `python respond.py http://127.0.0.1:8080`; then `ask.py`."""

import sys

import antiphon

with antiphon.connect(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080") as exp:
    channel = exp.get_channel("testChannel")
    listener = channel.listen("eventName")
    print("listening", flush=True)
    broadcast = listener.wait(60)
    if broadcast and broadcast["text"] == "hello?":
        broadcast.respond("hi there!")
