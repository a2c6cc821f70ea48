"""Client 2 of the guide: broadcasts, and prints what comes back. `python ask.py`, while `respond.py` runs."""

import sys

import antiphon

with antiphon.connect(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080") as exp:
    channel = exp.get_channel("testChannel")
    responses = channel.broadcast("eventName", {"text": "hello?"})
    print(responses)  # ['hi there!']
