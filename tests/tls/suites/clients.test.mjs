// Clients as people use them, over TLS.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import { createRequire } from 'node:module';
import path from 'node:path';
import { describe, it } from 'node:test';
import { EventSource } from 'eventsource';
import { io } from 'sio4';
import WebSocket from 'ws';
import { ask, next, within } from '../../clients/harness/deadline.mjs';
import { shared } from '../harness/authority.mjs';
import { antiphon, curl, run } from '../harness/programs.mjs';
import { Server, binary, text } from '../harness/server.mjs';

const PubNub = createRequire(import.meta.url)('pubnub');
const OPEN = '[[org]]\nname = "open"\nopen = true\npublish_key = "pub"\nsubscribe_key = "sub"';
const LARGE = 'x'.repeat(500_000);

describe('clients', { concurrency: true }, () => {
  function start(t, { more = '', ...options } = {}) {
    const { localhost } = shared();
    const certificate = `certificate_file = ${text(localhost.certFile)}\nkey_file = ${text(localhost.keyFile)}\n`;
    return Server.start(t, { tls: certificate + more, rest: OPEN, ...options });
  }

  it('curl, by HTTP/1.1 and HTTP/2', async (t) => {
    const server = await start(t);
    const json = ['-H', 'Content-Type: application/json', '-w', ' %{http_version} %{http_code}'];
    for (const [option, version] of [['--http1.1', '1.1'], ['--http2', '2']]) {
      const url = `${server.url}/v1/channels/curl${version}`;
      assert.match(await curl([option, ...json, '-d', '{"n":1}', url]), new RegExp(`"position":"\\d+".* ${version} 201$`));
      const file = path.join(server.directory, 'large.json');
      writeFileSync(file, JSON.stringify(LARGE));
      assert.match(await curl([option, ...json, '-d', `@${file}`, url]), / 201$/);
      const read = await curl([option, `${url}?limit=5`, '-H', 'Accept: application/json']);
      assert.deepEqual(JSON.parse(read).messages.map(({ payload }) => payload), [{ n: 1 }, LARGE]);
      const stream = curl([option, '--no-buffer', '--max-time', '1.5', '-H', 'Accept: text/event-stream', `${url}?since=0`]);
      await assert.rejects(stream, /timed out/, 'it lasts');
    }
  });

  it('many requests at once on one connection of HTTP/2', async (t) => {
    const server = await start(t);
    const client = http2.connect(server.url, { ca: shared().ca });
    t.after(() => client.close());
    const publish = async (n) => {
      const request = client.request({ ':method': 'POST', ':path': '/v1/channels/h2', 'content-type': 'application/json' });
      request.end(JSON.stringify({ n, fill: 'x'.repeat(n * 500) }));
      const [headers] = await next(request, 'response');
      request.resume();
      return headers[':status'];
    };
    const answered = await Promise.all(Array.from({ length: 60 }, (_, n) => publish(n)));
    assert.deepEqual([...new Set(answered)], [201]);
  });

  it('WebSockets, large and small, both ways', async (t) => {
    const server = await start(t);
    const open = async () => {
      const socket = new WebSocket(`wss://${server.host}/v1/channels/ws`, { ca: shared().ca });
      t.after(() => socket.terminate());
      await next(socket, 'open');
      return socket;
    };
    const [one, two] = [await open(), await open()];
    for (const payload of ['"small"', JSON.stringify(LARGE), '"last"']) {
      const heard = Promise.all([one, two].map((socket) => next(socket, 'message')));
      one.send(payload);
      for (const [data] of await heard) assert.equal(String(data), payload);
    }
    const closed = next(one, 'close');
    one.close(1000);
    assert.equal((await closed)[0], 1000);
    const plain = new WebSocket(`ws://127.0.0.1:${server.plainPort}/v1/channels/ws`);
    t.after(() => plain.terminate());
    await next(plain, 'open');
    const heard = next(two, 'message');
    plain.send('"from a plain connection"');
    assert.equal(String((await heard)[0]), '"from a plain connection"');
  });

  it('Socket.IO', async (t) => {
    const server = await start(t);
    for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
      const socket = io(server.url, { transports, reconnection: false, forceNew: true, ca: shared().ca });
      t.after(() => socket.disconnect());
      const connected = next(socket, 'connect');
      if (transports.length > 1) {
        await connected;
        if (socket.io.engine.transport.name === 'polling') await next(socket.io.engine, 'upgrade');
      } else await connected;
      const message = next(socket, 'message');
      for (const asked of [['subscribe', `sio-${transports}`], ['publish', `sio-${transports}`, { large: LARGE }]]) {
        const [{ status }] = await ask(socket, ...asked);
        assert.equal(status, 'ok', asked[0]);
      }
      assert.deepEqual(await message, [{ large: LARGE }]);
    }
  });

  it('EventSource', async (t) => {
    const server = await start(t);
    const source = new EventSource(`${server.url}/v1/channels/events`);
    t.after(() => source.close());
    await within(new Promise((resolve) => source.addEventListener('open', resolve)), 'stream');
    const message = within(new Promise((resolve) => source.addEventListener('message', resolve)), 'event');
    await curl(['-H', 'Content-Type: application/json', '-d', '{"n":1}', `${server.url}/v1/channels/events`]);
    assert.deepEqual(JSON.parse((await message).data), { n: 1 });
  });

  it('PubNub', async (t) => {
    const server = await start(t);
    const options = { publishKey: 'pub', subscribeKey: 'sub', userId: 'ann', restore: false };
    const client = new PubNub({ ...options, origin: server.host, ssl: true });
    t.after(() => client.stop());
    const events = {};
    const connected = new Promise((resolve) => (events.status = ({ category }) => category === 'PNConnectedCategory' && resolve()));
    const message = new Promise((resolve) => (events.message = resolve));
    client.addListener(events);
    client.subscribe({ channels: ['pubnub'] });
    await within(connected, 'connection');
    await within(client.publish({ channel: 'pubnub', message: { text: 'hi' } }), 'timetoken');
    assert.deepEqual((await within(message, 'message')).message, { text: 'hi' });
  });

  it('the binary itself', async (t) => {
    const server = await start(t);
    for (const url of [server.url, server.url.replace('https', 'wss')]) {
      const { out, err } = await antiphon(['publish', 'binary', '{"n":1}', '--url', url]);
      assert.match(out, /^\d+\n$/, err);
    }
    const history = await antiphon(['history', 'binary', '--raw', '--url', server.url]);
    assert.equal(history.out, '{"n":1}\n{"n":1}\n', history.err);
    const broadcast = await antiphon(['broadcast', 'binary', '1', '--timeout', '50ms', '--url', server.url]);
    assert.deepEqual([broadcast.code, broadcast.out], [0, ''], broadcast.err);
    const { err } = await run(binary(), ['history', 'binary', '--url', server.url]);
    assert.match(err, /UnknownIssuer/, 'of an authority that nobody has told it of');
    const missing = await run(binary(), ['history', 'binary', '--url', server.url, '--ca-file', '/nowhere.pem']);
    assert.match(missing.err, /nowhere.pem: No such file/);
  });

  it('plain requests are sent on, but for health checks, and browsers are told to stay', async (t) => {
    const server = await start(t, { more: 'redirect = "all"\nhsts = "180d"' });
    const head = (url, ...args) => curl(['--head', ...args, url]);
    const target = '/v1/channels/a%2Fb?since=0&limit=1';
    const moved = await head(`${server.plainUrl}${target}`);
    assert.match(moved, /^HTTP\/1.1 308 /);
    assert.ok(moved.includes(`location: https://127.0.0.1:${server.port}${target}\r\n`), moved);
    assert.doesNotMatch(moved, /strict-transport-security/i);
    assert.match(await head(`${server.plainUrl}/health/live`), /^HTTP\/1.1 200 /);
    assert.match(await head(`${server.url}/health/live`), /strict-transport-security: max-age=15552000\r/);
    // A body is sent once more, with the same method.
    const publish = ['--location', '-H', 'Content-Type: application/json', '-d', '{"n":1}', '-w', ' %{http_code}'];
    assert.match(await curl([...publish, `${server.plainUrl}/v1/channels/moved`]), / 201$/);
    const socket = new WebSocket(`ws://127.0.0.1:${server.plainPort}/v1/channels/a`);
    t.after(() => socket.terminate());
    const [error] = await next(socket, 'error');
    assert.match(error.message, /308/);
  });

  it('within this machine nobody is sent on unless that is wanted', async (t) => {
    const server = await start(t);
    assert.match(await curl(['--head', `${server.plainUrl}/v1/channels/a?limit=1`]), /^HTTP\/1.1 200 /);
    assert.doesNotMatch(await curl(['--head', `${server.url}/health/live`]), /strict-transport-security/i);
  });
});
