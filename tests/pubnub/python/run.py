"""Holds the antiphon binary against PubNub's SDK for Python, in both of its forms, and runs the guide's program.

Run it with the Python of an environment that has `requirements.txt`, and name one that has `requirements-guide.txt`;
`cargo xtask test --only pubnub` makes both. What is left over names the tests to run, by parts of their names.
"""

import argparse
import asyncio
import concurrent.futures
import dataclasses
import importlib
import logging
import os
import pathlib
import sys
import time
import traceback
import warnings

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
AT_ONCE = 4
THREADS = 64
TEST_SECS = 60
PARTS = ["messages", "presence", "history", "objects", "files", "access"]

sys.path.insert(0, str(HERE.parent.parent / "support"))

from antiphon_process import AntiphonProcess  # noqa: E402
import guide  # noqa: E402


@dataclasses.dataclass
class Way:
    """How clients come: with which form of the SDK, to which org, and with what they may do everything there."""

    sdk: str
    org: str
    origin: str
    token: str | None = None
    clients: list = dataclasses.field(default_factory=list)

    @property
    def is_signed(self):
        return self.org == "signed"

    @property
    def is_guarded(self):
        return self.org != "plain"

    def __str__(self):
        return f"{self.sdk}, {self.org}"


class StoredAntiphon(AntiphonProcess):
    """One that keeps everything in its directory, as it does by default."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.command.remove("--memory")


def main():
    arguments = parse_arguments()
    arguments.work.mkdir(parents=True, exist_ok=True)
    # The SDK logs what it is refused, which is wanted here.
    logging.getLogger("pubnub").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    os.environ["PN_ENABLE_ENTITIES"] = "true"
    chosen = [test for test in tests() if any(text in test.__name__ for text in arguments.tests or [""])]
    failed, passed = [], 0
    if not arguments.tests or "guide" in arguments.tests:
        (empty := arguments.work / "empty.toml").write_text("", encoding="utf-8")
        with StoredAntiphon(arguments.bin, empty, arguments.work / "guide.log") as server:
            guide.run(arguments.guide_python, f"127.0.0.1:{server.port}")
        failed += [server.failure] if server.failure else []
        passed += 1
        print("  guide: two terminals talk")
    with StoredAntiphon(arguments.bin, HERE / "antiphon.toml", arguments.work / "server.log") as server:
        for sdk in ["threads", "asyncio"]:
            for org in ["plain", "tokens", "signed"]:
                way = Way(sdk, org, f"127.0.0.1:{server.port}")
                begun = time.monotonic()
                failures = asyncio.run(run_way(way, chosen))
                failed += failures
                passed += len(chosen) - len(failures)
                print(f"  {way}: {len(chosen) - len(failures)} passed, {len(failures)} failed in {time.monotonic() - begun:.1f} s")
    failed += [f"{server.failure}; see {server.log_path}"] if server.failure else []
    for failure in failed:
        print(f"FAILED {failure}")
    print(f"{passed} passed, {len(failed)} failed")
    sys.stdout.flush()
    # The SDK's threads may still wait for an answer.
    os._exit(1 if failed or not passed else 0)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="the antiphon binary to start")
    parser.add_argument("--guide-python", required=True, help="a Python that has requirements-guide.txt")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "target/tools/pubnub", help="for what it makes")
    parser.add_argument("tests", nargs="*", help="parts of the names of tests")
    return parser.parse_args()


def tests():
    for part in PARTS:
        module = importlib.import_module(f"parts.{part}")
        yield from (function for name, function in vars(module).items() if name.startswith("test_"))


async def run_way(way, chosen):
    asyncio.get_running_loop().set_default_executor(concurrent.futures.ThreadPoolExecutor(THREADS))
    if way.org == "tokens":
        way = dataclasses.replace(way, token=await token_for_all(way))
    limit = asyncio.Semaphore(AT_ONCE)
    failures = []

    async def run_one(test):
        async with limit:
            mine = dataclasses.replace(way, clients=[])
            try:
                await asyncio.wait_for(test(mine), TEST_SECS)
            except Exception:
                failures.append(f"{test.__module__}.{test.__name__} ({way})\n{traceback.format_exc()}")
            for client in mine.clients:
                await client.close()

    await asyncio.gather(*(run_one(test) for test in chosen))
    return failures


async def token_for_all(way):
    """A token with which a client may do everything."""
    from client import Client
    from parts.access import everything

    admin = Client(way, "admin", secret_key=f"secret-of-{way.org}")
    token = (await admin.ask(everything(admin.pubnub))).get_token()
    await admin.close()
    return token


if __name__ == "__main__":
    main()
