"""The server as it is shipped, on a data directory of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, List, Optional

STARTS_WITHIN = 20.0
_LISTENS = re.compile(r"listening on (http://[\d.]+:\d+)")


class Server:
    """Started with this configuration (TOML); without any it has the open org `demo`."""

    def __init__(self, config: str = "") -> None:
        binary = os.environ.get("ANTIPHON_BIN")
        if not binary:
            raise RuntimeError("set ANTIPHON_BIN to the binary of the server")
        self._binary = binary
        self._directory = tempfile.TemporaryDirectory(prefix="antiphon-python-")
        self._config = Path(self._directory.name, "antiphon.toml")
        self._config.write_text(config)
        self._listen = "127.0.0.1:0"
        self._said: List[str] = []
        self._process: Optional[subprocess.Popen[str]] = None
        self.url = ""
        self.start()

    def start(self) -> None:
        """Starts it where it was, with what it had stored."""
        data = Path(self._directory.name, "data")
        arguments = [self._binary, "serve", "--config", str(self._config), "--data-dir", str(data)]
        self._process = subprocess.Popen(
            [*arguments, "--listen", self._listen],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # What begins with ANTIPHON_ would be settings.
            env={name: value for name, value in os.environ.items() if not name.startswith("ANTIPHON_")},
        )
        assert self._process.stdout and self._process.stderr
        errors = threading.Thread(target=self._listen_to, args=(self._process.stderr,), daemon=True)
        errors.start()
        address = self._address(self._process.stdout)
        if address is None:
            errors.join(STARTS_WITHIN)
            raise RuntimeError("the server ended before it listened:\n" + "".join(self._said))
        threading.Thread(target=self._listen_to, args=(self._process.stdout,), daemon=True).start()
        self.url = address
        self._listen = address[len("http://") :]

    def kill(self) -> None:
        """Ends it as a crash does."""
        self._end(signal.SIGKILL)

    def terminate(self) -> None:
        """Asks it to end, and waits until it has."""
        self._end(signal.SIGTERM)

    def stop(self) -> None:
        """Ends it for good."""
        self.kill()
        self._directory.cleanup()
        assert not any("panicked" in line for line in self._said), "".join(self._said)

    def post(self, path: str, payload: Any, **query: str) -> Any:
        """Posts JSON as a client that is none of the SDK's."""
        url = f"{self.url}{path}?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(url, json.dumps(payload).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())

    def publish(self, channel: str, payload: Any, **query: str) -> Any:
        return self.post(f"/v1/channels/{urllib.parse.quote(channel, safe='')}", payload, **query)

    def _end(self, number: int) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(number)
        self._process.wait(20)

    def _address(self, stdout: Any) -> Optional[str]:
        for line in stdout:
            match = _LISTENS.search(line)
            if match:
                return match[1]
        return None

    def _listen_to(self, stream: Any) -> None:
        with stream:
            for line in stream:
                self._said.append(line)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
