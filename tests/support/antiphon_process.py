"""Starts the antiphon binary for a suite that is written in Python, and stops it again."""

import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading

START_TIMEOUT_SECS = 30
STOP_TIMEOUT_SECS = 10

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
ADDRESS = re.compile(r"127\.0\.0\.1:([1-9][0-9]*)")


class AntiphonProcess:
    """A server on a free port of loopback, with its store in memory; a context manager.

    `failure` says, once it has ended, what was wrong with how it ended, or is None.
    """

    def __init__(self, binary, config, log_path):
        self.command = [str(pathlib.Path(binary).resolve()), "serve", "--listen", "127.0.0.1:0", "--memory"]
        self.config = pathlib.Path(config).resolve()
        self.log_path = pathlib.Path(log_path)
        self.failure = None
        self.port = None

    def __enter__(self):
        self.data_dir = tempfile.mkdtemp(prefix="antiphon-")
        self.process = subprocess.Popen(
            [*self.command, "--data-dir", self.data_dir, "--config", str(self.config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self.port_known = threading.Event()
        self.reader = threading.Thread(target=self._copy_output, daemon=True)
        self.reader.start()
        if not self.port_known.wait(START_TIMEOUT_SECS) or self.port is None:
            self._stop()
            raise SystemExit(f"The server did not say where it listens:\n{self.log_path.read_text(encoding='utf-8')}")
        return self

    def __exit__(self, *_):
        died = self.process.poll()
        if died is not None:
            self.failure = f"the server ended by itself with status {died}"
        self._stop()

    def _copy_output(self):
        """Keeps the pipe empty for as long as the server lives, so that logging never blocks it."""
        with open(self.log_path, "w", encoding="utf-8") as log:
            for line in self.process.stdout:
                log.write(line)
                log.flush()
                found = ADDRESS.search(COLOUR.sub("", line))
                if found and self.port is None:
                    self.port = int(found.group(1))
                    self.port_known.set()
        self.port_known.set()

    def _stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_TIMEOUT_SECS)
        except subprocess.TimeoutExpired:
            self.failure = f"the server had not ended {STOP_TIMEOUT_SECS} s after SIGTERM"
            self.process.kill()
            self.process.wait()
        self.reader.join(STOP_TIMEOUT_SECS)
        shutil.rmtree(self.data_dir, ignore_errors=True)
