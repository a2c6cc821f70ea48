# coding: utf-8
"""Does with exp-sdk what the tests say: a JSON object in a line on standard input, an answer in a line on standard output.

Runs on Python 2.7, which is what the SDK runs on. What may take its time is done on a thread of its own; SDKs are
started on the main thread, because they end when the thread does that has started them.
"""
from __future__ import print_function

import json
import logging
import sys
import threading
import time

import exp_sdk

logging.getLogger().addHandler(logging.NullHandler())

# Waiting longer in one go would miss what comes just as the SDK begins to wait.
SLICE = 0.2
SOON = 12.0

exps, listeners, broadcasts = {}, {}, {}
writing = threading.Lock()


def main():
    while True:
        line = sys.stdin.readline()
        if not line:
            return
        command = json.loads(line)
        if command['do'] == 'start':
            run(command)
        else:
            thread = threading.Thread(target=run, args=(command,))
            thread.daemon = True
            thread.start()


def run(command):
    answer = {'id': command['id']}
    try:
        answer['value'] = COMMANDS[command['do']](**{
            key: value for key, value in command.items() if key not in ('do', 'id')
        })
    except Exception as error:
        answer['error'] = {
            'name': type(error).__name__,
            'message': getattr(error, 'message', None) or repr(error),
            'code': getattr(error, 'code', None),
            'status': getattr(error, 'status_code', None),
        }
    with writing:
        print(json.dumps(answer))


def keep(things, thing):
    with writing:
        things[len(things)] = thing
        return len(things) - 1


def start(options):
    # The SDK signs with byte strings only.
    options = {str(key): value.encode('utf-8') if isinstance(value, unicode) else value for key, value in options.items()}
    return keep(exps, exp_sdk.start(**options))


def online(exp):
    until(lambda: exps[exp].is_connected, 'connection')


def offline(exp):
    until(lambda: not exps[exp].is_connected, 'end of the connection')


def auth(exp):
    return exps[exp].get_auth()


def listen(exp, channel, event, timeout=10):
    return keep(listeners, channel_of(exp, channel).listen(event, timeout=timeout))


def wait(exp, listener):
    end = time.time() + SOON
    while time.time() < end:
        broadcast = listeners[listener].wait(SLICE)
        if broadcast:
            number = keep(broadcasts, broadcast)
            return {'broadcast': number, 'payload': broadcast.payload, 'message': broadcast._message}
    raise Exception('no broadcast within %s s' % SOON)


def count(exp, listener):
    return len(listeners[listener]._broadcasts)


def respond(exp, broadcast, payload=None):
    broadcasts[broadcast].respond(payload)


def cancel(exp, listener):
    listeners[listener].cancel()


def broadcast(exp, channel, event, payload=None, timeout=None):
    more = {} if timeout is None else {'timeout': timeout}
    return channel_of(exp, channel).broadcast(event, payload, **more)


def post(exp, path, payload, query=None):
    return exps[exp].post(path, payload, query)


def stop(exp):
    exps[exp].stop()


def channel_of(exp, channel):
    flags = {key: channel[key] for key in ('system', 'consumer') if key in channel}
    return exps[exp].get_channel(channel['name'], **flags)


def until(condition, what):
    end = time.time() + SOON
    while not condition():
        if time.time() > end:
            raise Exception('no %s within %s s' % (what, SOON))
        time.sleep(0.02)


COMMANDS = {
    f.__name__: f for f in (start, online, offline, auth, listen, wait, count, respond, cancel, broadcast, post, stop)
}

if __name__ == '__main__':
    main()
