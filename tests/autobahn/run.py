"""Runs the Autobahn WebSocket test suite against the antiphon binary.

Run it with the Python of an environment that has `requirements.txt`; `cargo xtask test --only autobahn` makes one.
A raw WebSocket on a channel gets back what it publishes, which is the echo the suite expects.
"""

import argparse
import collections
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

from antiphon_process import AntiphonProcess  # noqa: E402
from port_to_python3 import port  # noqa: E402

# Frames, UTF-8, closing, limits; then deflate: every size with text and JSON data at the defaults, every set of
# parameters. The other 132 cases of deflate differ only in data and fragmentation and take 20 minutes.
QUICK = [f"{section}.*" for section in (1, 2, 3, 4, 5, 6, 7, 9, 10)]
QUICK += [f"12.{data}.{size}" for data in range(1, 6) for size in range(1, 8)]
QUICK += [f"13.{parameters}.{size}" for parameters in range(1, 8) for size in range(1, 8)]
CASES = {"quick": QUICK, "all": ["*"]}
COUNTS = {"quick": 385, "all": 517}
# Each case has a limit of its own; this is for a client that hangs.
TIMEOUTS_SECS = {"quick": 900, "all": 3600}

PASSED = {"OK", "NON-STRICT", "INFORMATIONAL"}
CLOSED_WELL = {"OK", "INFORMATIONAL"}


def main():
    arguments = parse_arguments()
    arguments.work.mkdir(parents=True, exist_ok=True)
    suite = ported_suite(arguments.work)
    if arguments.url:
        failure = None
        index = run_client(suite, arguments.url, arguments.cases, arguments.work)
    else:
        with AntiphonProcess(arguments.bin, HERE / "antiphon.toml", arguments.work / "server.log") as server:
            url = f"ws://127.0.0.1:{server.port}/v1/channels/autobahn-{{case}}"
            index = run_client(suite, url, arguments.cases, arguments.work)
        failure = server.failure
    sys.exit(report(index, COUNTS[arguments.cases], failure))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--bin", type=pathlib.Path, help="the antiphon binary to start")
    target.add_argument("--url", help="a WebSocket echo that is already there, in its place")
    parser.add_argument("--cases", choices=CASES, default="quick")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "target/tools/autobahn", help="for what it makes")
    return parser.parse_args()


def ported_suite(work):
    """The directory with the ported suite, made anew when anything that makes it has changed."""
    makers = [HERE / name for name in ("suite.txt", "port_to_python3.py", "octets.py")]
    key = hashlib.sha256(b"".join(maker.read_bytes() for maker in makers)).hexdigest()[:16]
    suite = work / f"suite-{key}"
    if not suite.exists():
        with tempfile.TemporaryDirectory(dir=work) as scratch:
            scratch = pathlib.Path(scratch)
            port(download_suite(scratch), scratch / "ported")
            (scratch / "ported").rename(suite)
    return suite


def download_suite(scratch):
    """There are wheels only for Python 2, so it is the source that is fetched; its hash is in `suite.txt`."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-binary", ":all:", "--no-build-isolation", "--require-hashes"]
    command += ["--requirement", str(HERE / "suite.txt")]
    subprocess.run([*command, "--dest", str(scratch)], check=True)
    (archive,) = scratch.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(scratch, filter="data")
    return scratch / archive.name.removesuffix(".tar.gz") / "autobahntestsuite"


def run_client(suite, url, cases, work):
    spec, index = work / "spec.json", work / "index.json"
    index.unlink(missing_ok=True)
    spec.write_text(json.dumps({"url": url, "cases": CASES[cases], "index": str(index)}), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(suite)}
    with open(work / "client.log", "w", encoding="utf-8") as log:
        command = [sys.executable, "-W", "ignore", str(HERE / "fuzz_client.py"), str(spec)]
        limit = TIMEOUTS_SECS[cases]
        client = subprocess.run(command, env=environment, stdout=log, stderr=subprocess.STDOUT, timeout=limit)
    if client.returncode != 0 or not index.exists():
        sys.exit(f"The fuzzing client failed with status {client.returncode}; see {log.name}")
    return json.loads(index.read_text(encoding="utf-8"))


def report(index, expected_count, failure):
    """Prints what failed and a count; returns the exit status."""
    failed = {case: row for case, row in index.items() if not passed(row)}
    if failed:
        print(f"{'case':<9}{'behaviour':<16}{'close':<16}{'code':<6}why")
    for case, row in failed.items():
        why = row["result"] if row["behavior"] not in PASSED else row["resultClose"]
        code = str(row["remoteCloseCode"])
        print(f"{case:<9}{row['behavior']:<16}{row['behaviorClose']:<16}{code:<6}{why}")
    if len(index) != expected_count:
        failure = failure or f"{len(index)} cases ran, not {expected_count}"
    if failure:
        print(failure)
    kinds = collections.Counter(row["behavior"] for row in index.values())
    print("autobahn:", ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())))
    print(f"{len(index) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or failure else 0


def passed(row):
    return row["behavior"] in PASSED and row["behaviorClose"] in CLOSED_WELL


if __name__ == "__main__":
    main()
