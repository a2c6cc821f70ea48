"""A device that answers whoever asks how it is, on asyncio, until Ctrl-C.

`python device.py http://127.0.0.1:8080 test-uuid test-secret`; without uuid and secret it is a guest of the open organization.
"""

import asyncio
import logging
import sys
from typing import List, Optional

import antiphon
from antiphon import aio


async def main(url: str, device: Optional[antiphon.Device]) -> None:
    """Answers for as long as it runs, over restarts of the server as well."""
    async with aio.connect(url, device=device, connect_timeout=None) as exp:
        print(f"{exp.identity} is there", flush=True)
        async with exp.get_channel("devices").listen("how are you?") as listener:
            async for question in listener:
                try:
                    await question.respond({"identity": exp.identity, "temperature": 21.5})
                except (antiphon.NobodyCollectsError, antiphon.ConnectionLostError) as late:
                    print(f"too late: {late}", file=sys.stderr)


def device_of(arguments: List[str]) -> Optional[antiphon.Device]:
    """The device that the command line names."""
    return antiphon.Device(*arguments) if len(arguments) == 2 else None


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main(sys.argv[1], device_of(sys.argv[2:])))
