"""The programs under `examples/`, as they are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .conftest import Connect
from .server import Server

EXAMPLES = Path(__file__).parents[2] / "examples"


def start(name: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", str(EXAMPLES / name), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_one_asks_and_the_other_responds(server: Server) -> None:
    responder = start("respond.py", server.url)
    assert responder.stdout is not None and responder.stdout.readline() == "listening\n"
    asker = start("ask.py", server.url)
    assert asker.communicate(timeout=20)[0] == "['hi there!']\n"
    assert (responder.communicate(timeout=20)[0], responder.returncode, asker.returncode) == ("", 0, 0)


def test_a_device_answers(server: Server, connect: Connect) -> None:
    device = start("device.py", server.url, "test-uuid", "test-secret")
    try:
        assert device.stdout is not None and device.stdout.readline() == "test-uuid is there\n"
        channel = connect().get_channel("devices")
        responses: object = []
        while not responses:
            responses = channel.broadcast("how are you?", timeout=1, until=1)
        assert responses == [{"identity": "test-uuid", "temperature": 21.5}]
    finally:
        device.kill()
        device.communicate()
