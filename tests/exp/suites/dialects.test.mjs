// SDKs of EXP and clients of the other dialects on one channel: whoever broadcasts, the others hear it, and their answers come back.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { next, within } from '../../clients/harness/deadline.mjs';
import { Events, V1, broadcast as broadcastByHttp, publish } from '../../standalone/harness/others.mjs';
import { Server } from '../../standalone/harness/server.mjs';
import { call, channelId, logIn, pythonChannelId, tokenOf } from '../harness/api.mjs';
import { online } from '../harness/cases.mjs';
import { ChromiumSdk } from '../harness/chromium.mjs';
import { APP, DEVICE, KEYS, SECOND, USER, configuration } from '../harness/config.mjs';
import { NodeSdk } from '../harness/node.mjs';
import { MISSING, PythonSdk } from '../harness/python.mjs';
import { Listening } from '../harness/socket.mjs';

const { io } = createRequire(import.meta.url)('sio4');
const ANSWERED_MS = 2000;
const UNICODE = 'Grüße ÿ';
const BYTES = Buffer.from([0, 1, 254, 255]);
const BASE64 = BYTES.toString('base64');

describe('on one channel', { concurrency: 6 }, () => {
  let server;
  const sdks = {};
  before(async () => {
    [sdks.node, sdks.chromium, sdks.python] = await Promise.all([NodeSdk.start(), ChromiumSdk.start(), MISSING ? undefined : PythonSdk.start()]);
    server = await Server.start(undefined, configuration({ more: 'workers = 2', origins: [sdks.chromium.origin] }));
  });
  after(async () => {
    for (const sdk of Object.values(sdks)) await sdk?.stop();
    await server?.stop();
  });

  const sse = (t, channel, query = {}) => Events.listen(t, server, channel, { token: KEYS.all, ...query });
  const v1 = (t) => V1.open(t, server, { token: KEYS.all });
  const socketIo = async (t, auth = { token: KEYS.all }) => {
    const socket = io(server.url, { forceNew: true, reconnection: false, transports: ['websocket'], auth });
    t.after(() => socket.disconnect());
    const refused = new Promise((_, reject) => socket.once('connect_error', reject));
    await within(Promise.race([next(socket, 'connect'), refused]), 'connection');
    return socket;
  };

  test('the SDKs of each language hear each other, each by its own spelling', { skip: MISSING }, async (t) => {
    const exps = [];
    for (const sdk of [sdks.node, sdks.chromium, sdks.python]) exps.push(await online(t, { sdk, server }, DEVICE));
    const channel = { name: UNICODE };
    const listeners = await Promise.all(exps.map((exp) => exp.listen(channel, UNICODE)));
    for (const [n, exp] of exps.entries()) {
      const responses = exp.broadcast(channel, UNICODE, { n, text: '𝄞 ☕' }, ANSWERED_MS);
      const heard = await Promise.all(listeners.map((listener) => listener.next()));
      for (const [k, { payload, name, respond }] of heard.entries()) {
        assert.deepEqual([payload, name], [{ n, text: '𝄞 ☕' }, UNICODE]);
        await respond(`${k} ☕`);
      }
      assert.deepEqual(await responses, ['0 ☕', '1 ☕', '2 ☕']);
      const spelled = heard.map(({ message }) => message.channel);
      const latin1 = Buffer.from(JSON.stringify(['scala', UNICODE, 0, 0]), 'latin1').toString('base64');
      assert.deepEqual(spelled, [channelId(UNICODE), latin1, pythonChannelId(UNICODE)]);
    }
  });

  test('a broadcast of an SDK is heard and answered by all', async (t) => {
    const channel = `asked ${UNICODE}`;
    const exp = await online(t, { sdk: sdks.node, server }, DEVICE);
    const page = await sse(t, channel);
    const socket = await socketIo(t);
    assert.equal((await within(socket.emitWithAck('subscribe', channel), 'answer')).status, 'ok');
    socket.on('ask', (payload, reply) => reply({ socketIo: payload }));
    const victor = await v1(t);
    await victor.ask('subscribe', { channels: [channel] });

    const responses = exp.broadcast({ name: channel }, 'ask', { text: 'hello?' }, ANSWERED_MS);
    const event = await page.next();
    assert.deepEqual([event.event, JSON.parse(event.data)], ['ask', { text: 'hello?' }]);
    const message = await victor.next();
    assert.deepEqual([message.name, message.payload, message.expects_replies], ['ask', { text: 'hello?' }, true]);
    await victor.ask('reply', { channel, to: message.position, payload: { v1: true } });
    await victor.ask('reply', { channel, to: message.position, payload: BASE64, encoding: 'base64' });
    const path = `/v1/channels/${encodeURIComponent(channel)}/broadcasts/${event.id}/replies`;
    const answered = await fetch(`${server.url}${path}`, {
      method: 'POST',
      body: 'from curl',
      headers: { 'Content-Type': 'text/plain', Authorization: `Bearer ${KEYS.all}` },
    });
    assert.equal(answered.status, 202);
    const got = (await responses).map((response) => JSON.stringify(response)).sort();
    const all = [{ socketIo: { text: 'hello?' } }, { v1: true }, BASE64, 'from curl'].map((response) => JSON.stringify(response));
    assert.deepEqual(got, all.sort());
  });

  test('a broadcast by curl is heard and answered by SDKs', async (t) => {
    const channel = 'asked by curl';
    const answering = [sdks.node, sdks.chromium, ...(MISSING ? [] : [sdks.python])];
    const listeners = [];
    for (const sdk of answering) {
      const exp = await online(t, { sdk, server }, SECOND);
      listeners.push(await exp.listen({ name: channel }, 'ask'));
    }
    const url = `${server.url}/v1/channels/${encodeURIComponent(channel)}/broadcasts?name=ask&timeout=8s&until=${answering.length}`;
    const curl = spawn('curl', ['-sS', url, '-H', `Authorization: Bearer ${KEYS.all}`, '-H', 'Content-Type: application/json', '-d', '{"text":"hello?"}'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const closed = once(curl, 'close');
    let said = '';
    curl.stdout.on('data', (text) => (said += text));
    for (const [n, listener] of listeners.entries()) {
      const { payload, respond } = await listener.next();
      assert.deepEqual(payload, { text: 'hello?' });
      await respond(`hi there ${n}`);
    }
    await within(closed, 'end of curl');
    const { replies, complete } = JSON.parse(said);
    assert.deepEqual(replies.map(({ payload }) => payload), listeners.map((_, n) => `hi there ${n}`));
    assert.deepEqual(replies.map(({ publisher }) => publisher), listeners.map(() => SECOND.uuid));
    assert.equal(complete, true);
  });

  test('a broadcast by Socket.IO and one by antiphon.v1 are answered by SDKs', async (t) => {
    const channel = 'asked by others';
    const exp = await online(t, { sdk: sdks.node, server }, DEVICE);
    const listener = await exp.listen({ name: channel }, 'ask');
    const socket = await socketIo(t);
    const asked = socket.emitWithAck('broadcast', { channel, name: 'ask', payload: [1, '☕'], until: 1, timeout: '8s' });
    const first = await listener.next();
    assert.deepEqual(first.payload, [1, '☕']);
    await first.respond({ hi: 'there' });
    const answer = await within(asked, 'answer');
    assert.deepEqual([answer.status, answer.replies[0].payload, answer.replies[0].publisher], ['ok', { hi: 'there' }, DEVICE.uuid]);

    const victor = await v1(t);
    const replies = victor.broadcast({ channel, name: 'ask', payload: 'v1', until: 1 });
    const second = await listener.next();
    assert.equal(second.payload, 'v1');
    await second.respond(null);
    assert.deepEqual(await replies, { replies: [null], complete: true });
  });

  test('what others publish is a broadcast to SDKs', async (t) => {
    const channel = 'published';
    const exp = await online(t, { sdk: sdks.node, server }, DEVICE);
    const listening = await Listening.open(t, server, await tokenOf(server, SECOND));
    await listening.subscribe(channelId(channel));
    const listener = await exp.listen({ name: channel }, 'message');
    const cases = [
      [{ token: KEYS.all }, '{"a":1}', { name: 'message', payload: { a: 1 } }],
      [{ token: KEYS.all, type: 'text/plain' }, 'Text ☕', { name: 'message', payload: 'Text ☕' }],
      [{ token: KEYS.all, type: 'application/octet-stream' }, BYTES, { name: 'message', payload: BASE64, encoding: 'base64' }],
      [{ token: KEYS.all, name: 'named' }, 'null', { name: 'named', payload: null }],
    ];
    for (const [options, body, expected] of cases) {
      await publish(server, channel, body, options);
      const { id, channel: spelled, ...message } = await listening.next();
      assert.deepEqual([message, spelled], [expected, channelId(channel)]);
      if (expected.name === 'message') assert.deepEqual((await listener.next()).payload, expected.payload);
    }
  });

  test('a token of a login is a credential everywhere', async (t) => {
    const channel = 'everywhere';
    const token = await tokenOf(server, DEVICE);
    const page = await Events.listen(t, server, channel, { token });
    const victor = await V1.open(t, server, { token });
    await victor.ask('subscribe', { channels: [channel] });
    const socket = await socketIo(t, { token });
    await within(socket.emitWithAck('subscribe', channel), 'answer');
    const heard = next(socket, 'message');
    await publish(server, channel, '"from the device"', { token });
    assert.deepEqual(await heard, ['from the device']);
    const message = await victor.next();
    assert.deepEqual([message.payload, message.publisher], ['from the device', DEVICE.uuid]);
    assert.equal((await page.next()).data, '"from the device"');
  });

  test('the rules of EXP hold by other ways too', async (t) => {
    const [device, app, user] = await Promise.all([DEVICE, APP, USER].map((credentials) => tokenOf(server, credentials)));
    const refused = async (token, channel, flags = '') => {
      for (const path of [`/v1/channels/${channel}?${flags}`, `/v1/channels/${channel}/broadcasts?timeout=10ms&${flags}`]) {
        const { status } = await call(server, path, { token, body: {} });
        assert.equal(status, 403, path);
      }
    };
    for (const token of [device, user, KEYS.all]) await refused(token, 'c', 'system=true');
    await refused(app, 'c');
    await refused(app, 'c', 'system=true&consumer=true');
    await publish(server, 'c', '1', { token: app, consumer: true });
    const { status } = await call(server, '/v1/channels/c', { method: 'GET', token: app });
    assert.equal(status, 403);
  });

  test('every credential is one of the network too', async (t) => {
    const channel = channelId('by key');
    const listening = await Listening.open(t, server, await tokenOf(server, DEVICE));
    await listening.subscribe(channel);
    const { status } = await call(server, '/api/networks/current/broadcasts?timeout=0', { token: KEYS.all, body: { name: 'n', channel, payload: 1 } });
    assert.equal(status, 200);
    assert.equal((await listening.next()).payload, 1);
    const { replies } = await broadcastByHttp(server, 'by key', '1', { token: await tokenOf(server, DEVICE), timeout: '10ms' });
    assert.deepEqual(replies, []);
  });

  test('in Chromium, of an origin that is not allowed, an SDK gets nowhere', async (t) => {
    const strict = await Server.start(t, configuration({ origins: ['https://app.example.com'] }));
    const exp = sdks.chromium.open(t, strict.url, DEVICE);
    await assert.rejects(exp.happens('online', 1500), /no event `online`/);
  });

  for (const where of ['node', 'chromium']) {
    test(`an SDK that is given a token, ${where}`, async (t) => {
      const sdk = sdks[where];
      const { body: auth } = await logIn(server, DEVICE);
      const exp = sdk.open(t, server.url, { auth });
      await exp.online();
      const listener = await exp.listen({ name: t.name }, 'n');
      await exp.broadcast({ name: t.name }, 'n', 1, 0);
      assert.equal((await listener.next()).payload, 1);

      // One that may only listen.
      const restricted = sdk.open(t, server.url, { auth: { ...auth, token: auth.restrictedToken } });
      await restricted.online();
      const listens = await restricted.listen({ name: t.name }, 'n');
      await assert.rejects(restricted.broadcast({ name: t.name }, 'n', 2, 0), { status: 403, code: 'not-permitted' });
      await exp.broadcast({ name: t.name }, 'n', 3, 0);
      assert.equal((await listens.next()).payload, 3);

      // A bad one is refused at the handshake, which the SDK says and tries again; it has nothing else to log in with.
      const bad = sdk.open(t, server.url, { auth: { ...auth, token: `${auth.token.slice(0, -6)}AAAAAA` } });
      await bad.happens('offline');
      await bad.happens('offline');
      assert.equal(await bad.count('online'), 0);
    });
  }
});
