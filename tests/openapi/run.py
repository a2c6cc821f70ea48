"""Holds the antiphon binary against its own OpenAPI document with schemathesis.

Run it with the Python of an environment that has `requirements.txt`; `cargo xtask test --only openapi` makes one.
Requests that the document allows have to be answered as it says, others refused, and none with a status of 5xx.
"""

import argparse
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# Each request has a limit of its own; this is for all of them.
TIMEOUT_SECS = 900

sys.path.insert(0, str(HERE.parent / "support"))

from antiphon_process import AntiphonProcess  # noqa: E402


def main():
    arguments = parse_arguments()
    arguments.work.mkdir(parents=True, exist_ok=True)
    if arguments.url:
        sys.exit(run_schemathesis(arguments.url, arguments.work, arguments.rest))
    with AntiphonProcess(arguments.bin, HERE / "antiphon.toml", arguments.work / "server.log") as server:
        url = f"http://127.0.0.1:{server.port}/v1/openapi.json"
        status = run_schemathesis(url, arguments.work, arguments.rest)
    if server.failure:
        sys.exit(f"{server.failure}; see {server.log_path}")
    sys.exit(status)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--bin", type=pathlib.Path, help="the antiphon binary to start")
    target.add_argument("--url", help="the document of a server that is already there, in its place")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "target/tools/openapi", help="for what it makes")
    parser.add_argument("rest", nargs="*", help="further options for schemathesis, after --")
    return parser.parse_args()


def run_schemathesis(url, work, rest):
    command = [str(pathlib.Path(sys.executable).with_name("st")), "--config-file", str(HERE / "schemathesis.toml")]
    command += ["run", url, *rest]
    return subprocess.run(command, cwd=work, timeout=TIMEOUT_SECS).returncode


if __name__ == "__main__":
    main()
