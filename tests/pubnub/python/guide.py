"""Two processes with `terminal.py` talk to each other, on a server as it starts without a configuration."""

import pathlib
import queue
import shutil
import subprocess
import tempfile
import threading

TIMEOUT_SECS = 20
PROGRAM = pathlib.Path(__file__).with_name("terminal.py")


class Terminal:
    """A process, and the lines that it printed."""

    def __init__(self, python, program, origin):
        command = [python, "-u", program, origin]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def type(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def expect(self, line):
        found = self.lines.get(timeout=TIMEOUT_SECS)
        assert found == line, f"{found!r} instead of {line!r}"

    def end(self):
        self.type("exit")
        assert self.process.wait(TIMEOUT_SECS) == 0
        assert self.lines.empty(), self.lines.get()


def run(python, origin):
    with tempfile.TemporaryDirectory() as directory:
        names = ["one.py", "two.py"]
        programs = [shutil.copy(PROGRAM, pathlib.Path(directory) / name) for name in names]
        one, two = terminals = [Terminal(python, program, origin) for program in programs]
        try:
            for terminal in terminals:
                terminal.expect("ready")
            for line in ["hello", "how are you? ü \"quoted\" / #1 & 100%", ""]:
                one.type(line)
                two.expect(f"from device one.py: {line}")
            for number in range(20):
                two.type(f"line {number}")
                one.expect(f"from device two.py: line {number}")
            for terminal in terminals:
                terminal.end()
        finally:
            for terminal in terminals:
                terminal.process.kill()
