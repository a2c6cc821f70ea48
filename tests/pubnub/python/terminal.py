"""A chat in a terminal with the SDK's threads, as the guide has it: what is typed is published, what others say is printed.

Who says something is known by the name of the program's file. Only `origin` and `ssl` are set besides what an app sets anyway.
"""

import os
import sys

from pubnub.callbacks import SubscribeCallback
from pubnub.enums import PNStatusCategory
from pubnub.pnconfiguration import PNConfiguration
from pubnub.pubnub import PubNub

CHANNEL = "chan-1"
NAME = os.path.basename(__file__)


class Printer(SubscribeCallback):
    def presence(self, pubnub, presence):
        pass

    def status(self, pubnub, status):
        if status.category == PNStatusCategory.PNConnectedCategory:
            print("ready", flush=True)

    def message(self, pubnub, message):
        if message.publisher != NAME:
            print(f"from device {message.publisher}: {message.message}", flush=True)


def published(envelope, status):
    if status.is_error():
        print(f"not published: {status.error_data}", flush=True)


def main():
    config = PNConfiguration()
    config.publish_key = config.subscribe_key = "demo"
    config.user_id = NAME
    config.origin, config.ssl = sys.argv[1], False
    pubnub = PubNub(config)
    pubnub.add_listener(Printer())
    pubnub.subscribe().channels(CHANNEL).execute()
    for line in sys.stdin:
        if line.strip() == "exit":
            os._exit(0)
        pubnub.publish().channel(CHANNEL).message(line.rstrip("\n")).pn_async(published)


main()
