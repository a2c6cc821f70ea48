"""Runs the ported Autobahn fuzzing client against one server and writes what came of each case.

Usage: fuzz_client.py SPEC, with the ported suite on PYTHONPATH. SPEC is JSON: `url` (`{case}` in it stands for the id
of the case, so that each can have a channel of its own), `cases` (a list of patterns) and `index` (where to write `{case: {behavior, behaviorClose, result, resultClose, duration_ms, remoteCloseCode}}`).
"""

import json
import sys

from twisted.internet import reactor

from autobahntestsuite import fuzzing
from autobahntestsuite.case import Case
from autobahntestsuite.octets import binascii, octets, text

REPORTED = ["behavior", "behaviorClose", "result", "resultClose", "remoteCloseCode", "remoteCloseReason"]
LOGGED_OCTETS_MAX = 64


class Protocol(fuzzing.FuzzingClientProtocol):
    """Turns the cases' strings of octets into bytes on their way out, and bytes into such strings on their way in."""

    def sendFrame(self, opcode, payload=b"", mask=None, payload_len=None, **rest):
        payload = octets(payload)
        if payload_len is not None:
            # autobahn would repeat the payload with a division that gives a float.
            payload = (payload * (payload_len // max(len(payload), 1) + 1))[:payload_len]
        super().sendFrame(opcode, payload, mask=octets(mask), **rest)

    def sendMessage(self, payload, *rest, **named):
        super().sendMessage(octets(payload), *rest, **named)

    def sendMessageFrameData(self, payload, sync=False):
        return super().sendMessageFrameData(octets(payload), sync)

    def sendPing(self, payload=None):
        super().sendPing(octets(payload))

    def sendPong(self, payload=None):
        super().sendPong(octets(payload))

    def sendCloseFrame(self, code=None, reasonUtf8=None, isReply=False):
        super().sendCloseFrame(code, octets(reasonUtf8), isReply)

    def onPong(self, payload):
        super().onPong(text(payload))

    def onMessage(self, msg, binary):
        works_on_bytes = hasattr(self.runCase, "TESTDATA")
        super().onMessage(msg if works_on_bytes else text(msg), binary)

    def logRxFrame(self, frameHeader, payload):
        super().logRxFrame(frameHeader, [text(b"".join(payload))])


class Client(fuzzing.FuzzingClientFactory):
    """Goes through the cases one by one, and writes an index in place of the suite's pages."""

    def __init__(self, spec):
        self.url = spec["url"]
        self.index_path = spec["index"]
        self.index = {}
        super().__init__({"servers": [{"agent": "server", "url": spec["url"]}], "cases": spec["cases"]})

    def nextCase(self):
        if not super().nextCase():
            return False
        self.setSessionParameters(url=self.url.replace("{case}", self.currentCaseId))
        return True

    def logCase(self, caseResults):
        row = {name: text(caseResults[name]) for name in REPORTED}
        row["duration_ms"] = caseResults["duration"]
        self.index[caseResults["id"]] = row

    def createReports(self):
        with open(self.index_path, "w", encoding="utf-8") as file:
            json.dump(self.index, file, indent=1)


def shown(data, maxlen=LOGGED_OCTETS_MAX, replace=False):
    return repr(text(data)[:maxlen])


def adapt_suite():
    """Replaces what of the suite depends on Python 2's strings."""
    fuzzing.FuzzingClientProtocol = Protocol
    fuzzing.binascii = binascii
    fuzzing.asciiLogData = shown
    fuzzing.binLogData = shown
    # The suite compares pickles, which differ for equal strings that are not the same object.
    Case.compare = lambda self, one, other: one == other


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        spec = json.load(file)
    adapt_suite()
    Client(spec)
    reactor.run()


if __name__ == "__main__":
    main()
