"""A client of nothing but Python's own library: publishes with a certificate of its own, and says who it was taken for."""

import argparse
import http.client
import json
import ssl

parser = argparse.ArgumentParser()
for option in ("--port", "--ca", "--cert", "--key"):
    parser.add_argument(option, required=True)
options = parser.parse_args()

context = ssl.create_default_context(cafile=options.ca)
context.load_cert_chain(options.cert, options.key)
connection = http.client.HTTPSConnection("localhost", int(options.port), context=context, timeout=10)
connection.request("GET", "/v1/channels/room.1?envelope=true", headers={"Accept": "text/event-stream"})
events = connection.getresponse()
version = connection.sock.version()

publishing = http.client.HTTPSConnection("localhost", int(options.port), context=context, timeout=10)
publishing.request("POST", "/v1/channels/room.1", "[1]", {"Content-Type": "application/json"})
answer = publishing.getresponse()
answer.read()

while True:
    line = events.readline().decode()
    if not line:
        raise SystemExit("the stream ended")
    if line.startswith("data:") and "publisher" in line:
        print(version, answer.status, json.loads(line.removeprefix("data:"))["publisher"])
        break
