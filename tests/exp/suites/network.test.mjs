// Broadcasts and responses, by hand: what programs send, and how they are answered.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { within } from '../../clients/harness/deadline.mjs';
import { Server } from '../../standalone/harness/server.mjs';
import { broadcast, call, channelId, pythonChannelId, respond, tokenOf } from '../harness/api.mjs';
import { APP, DEVICE, KEYS, SECOND, STRANGER, USER, configuration } from '../harness/config.mjs';
import { Listening } from '../harness/socket.mjs';

const DEFAULT_MS = 400;
const MAX_MS = 1000;
const ANSWERED_MS = 900;

describe('the network by HTTP', { concurrency: 8 }, () => {
  let server;
  let token;
  before(async () => {
    const exp = `broadcast_timeout = "${DEFAULT_MS}ms"\nbroadcast_timeout_max = "${MAX_MS}ms"`;
    server = await Server.start(undefined, configuration({ exp }));
    token = await tokenOf(server, DEVICE);
  });
  after(() => server?.stop());

  const send = (body, timeout) => broadcast(server, token, body, { timeout });

  for (const [timeout, expected] of [
    ['200', 200],
    ['200.0', 200],
    ['2e2', 200],
    ['0', 0],
    ['undefined', DEFAULT_MS],
    [null, DEFAULT_MS],
    ['', DEFAULT_MS],
    ['NaN', DEFAULT_MS],
    ['none', DEFAULT_MS],
    ['86400000', MAX_MS],
    ['99999999999999999999999', MAX_MS],
  ]) {
    test(timeout === null ? 'no timeout' : `timeout=${timeout}`, async () => {
      const begun = performance.now();
      const { status, body } = await send({ name: 'n', channel: channelId('timeouts') }, timeout);
      const took = performance.now() - begun;
      assert.deepEqual([status, body], [200, []]);
      assert.ok(took > expected - 20 && took < expected + 550, `it took ${took} ms`);
    });
  }

  test('ids of channels in every spelling', async (t) => {
    const name = 'spelled ÿ~~??>> ☕';
    const listening = await Listening.open(t, server, await tokenOf(server, SECOND));
    const id = channelId(name);
    await listening.subscribe(id);
    const urlSafe = id.replaceAll('+', '-').replaceAll('/', '_');
    const spellings = [id, urlSafe, id.replace(/=+$/, ''), urlSafe.replace(/=+$/, ''), pythonChannelId(name)];
    spellings.push(Buffer.from(` [ "scala" , ${JSON.stringify(name)}, false, false ] `).toString('base64'));
    assert.notEqual(id, urlSafe);
    for (const [n, channel] of spellings.entries()) {
      assert.equal((await send({ name: 'n', channel, payload: n }, 0)).status, 200, channel);
      const heard = await listening.next();
      assert.deepEqual([heard.payload, heard.channel], [n, id]);
    }
    for (const channel of [{ name }, { name, system: false, consumer: false }, { name, system: 0, consumer: null }]) {
      const { status, body } = await send({ name: 'n', channel, payload: 'object' }, 0);
      if (status === 200) assert.equal((await listening.next()).payload, 'object');
      else assert.ok(status === 400 && Object.values(channel).includes(null), JSON.stringify(body));
    }
  });

  test('flags of channels', async (t) => {
    const listening = await Listening.open(t, server, await tokenOf(server, DEVICE));
    const [plain, consumer] = [channelId('flags'), channelId('flags', { consumer: 1 })];
    await listening.subscribe(plain, consumer);
    const consumers = [consumer, { name: 'flags', consumer: true }, channelId('flags', { system: false, consumer: true })];
    for (const [n, channel] of consumers.entries()) {
      await send({ name: 'n', channel, payload: n }, 0);
      const heard = await listening.next();
      assert.deepEqual([heard.payload, heard.channel], [n, consumer]);
    }
  });

  test('what a broadcast comes with', async (t) => {
    const listening = await Listening.open(t, server, await tokenOf(server, DEVICE));
    const channel = channelId('members');
    await listening.subscribe(channel);
    await send({ name: 'named', channel, payload: { a: 1 } }, 0);
    const { id, ...rest } = await listening.next();
    assert.deepEqual(rest, { name: 'named', channel, payload: { a: 1 } });
    assert.equal(typeof id, 'string');
    await send({ name: 'without', channel }, 0);
    const without = await listening.next();
    assert.deepEqual([without.name, without.payload, 'payload' in without], ['without', null, true]);
    assert.notEqual(without.id, id);
  });

  test('responses', async (t) => {
    const listening = await Listening.open(t, server, await tokenOf(server, SECOND));
    const channel = channelId('responses');
    await listening.subscribe(channel);
    const responses = send({ name: 'ask', channel, payload: 1 }, ANSWERED_MS);
    const { id } = await listening.next();
    const tokens = [token, await tokenOf(server, SECOND), await tokenOf(server, USER), KEYS.all];
    for (const [n, each] of tokens.entries()) {
      const { status, body } = await respond(server, each, { id, channel, payload: { n } });
      assert.ok(status >= 200 && status < 300, JSON.stringify(body));
      assert.deepEqual(body, {});
    }
    // The same once more is another one, and one without a payload is one.
    await respond(server, token, { id, channel, payload: { n: 0 } });
    await respond(server, token, { id, channel });
    await respond(server, token, { id, channel: { name: 'responses' }, payload: 'object' });
    const { status, body } = await responses;
    assert.equal(status, 200);
    assert.deepEqual(body, [{ n: 0 }, { n: 1 }, { n: 2 }, { n: 3 }, { n: 0 }, null, 'object']);
  });

  test('a response that nobody collects', async () => {
    const channel = channelId('nobody');
    for (const id of ['17639999999999999', '1', 'no id at all']) {
      const { status, body } = await respond(server, token, { id, channel, payload: 1 });
      // Programs on Node end when a response of theirs fails.
      assert.ok(status === 200 || (status === 400 && id === 'no id at all'), `${id}: ${status} ${JSON.stringify(body)}`);
    }
  });

  test('nobody responds for others', async (t) => {
    const listening = await Listening.open(t, server, await tokenOf(server, DEVICE));
    const channel = channelId('private');
    await listening.subscribe(channel);
    const responses = send({ name: 'ask', channel }, 300);
    const { id } = await listening.next();
    const stranger = await tokenOf(server, STRANGER);
    const app = await tokenOf(server, APP);
    for (const [token, channel] of [
      [stranger, channelId('private')],
      [app, channelId('private')],
    ]) {
      const { status, body } = await respond(server, token, { id, channel, payload: 'intruder' });
      assert.deepEqual([status, body.code], [403, 'not-permitted']);
    }
    // On channels of their own they find no such broadcast.
    await respond(server, stranger, { id, channel: channelId('private', { org: 'other' }), payload: 'intruder' });
    await respond(server, app, { id, channel: channelId('private', { consumer: 1 }), payload: 'intruder' });
    assert.deepEqual((await responses).body, []);
  });

  test('refusals', async () => {
    const app = await tokenOf(server, APP);
    const stranger = await tokenOf(server, STRANGER);
    const refused = [
      [token, channelId('c', { system: 1 })],
      [token, channelId('c', { system: 1, consumer: 1 })],
      [token, { name: 'c', system: true }],
      [KEYS.all, channelId('c', { system: 1 })],
      [await tokenOf(server, USER), channelId('c', { system: 1 })],
      [app, channelId('c')],
      [app, { name: 'c' }],
      [app, channelId('c', { system: 1, consumer: 1 })],
      [token, channelId('c', { org: 'other' })],
      [stranger, channelId('c')],
      [token, channelId('c', { org: 'nowhere' })],
    ];
    for (const [token, channel] of refused) {
      const { status, body } = await broadcast(server, token, { name: 'n', channel });
      assert.deepEqual([status, body.code], [403, 'not-permitted'], JSON.stringify([channel, body]));
      assert.ok(body.message.length > 10);
    }
  });

  test('without a token, or with a bad one', async () => {
    for (const bad of [undefined, 'nonsense', `${token.slice(0, -4)}AAAA`]) {
      for (const path of ['broadcasts', 'responses']) {
        const { status, body } = await call(server, `/api/networks/current/${path}`, { token: bad, body: { id: '1', name: 'n', channel: channelId('c') } });
        assert.equal(status, 401, JSON.stringify(body));
        assert.ok(body.code && body.message);
      }
    }
  });

  test('faults', async () => {
    const channel = channelId('c');
    const faults = [
      { raw: '' },
      { raw: '{"name":' },
      { raw: '[]' },
      { body: { name: 'n' } },
      { body: { name: 'n', channel: 7 } },
      { body: { name: 'n', channel: 'no base64!' } },
      { body: { name: 'n', channel: Buffer.from('{}').toString('base64') } },
      { body: { name: 'n', channel: Buffer.from('["scala","c",0]').toString('base64') } },
      { body: { name: 'n', channel: Buffer.from('["scala","c",0,2]').toString('base64') } },
      { body: { name: 'n', channel: Buffer.from('["scala",7,0,0]').toString('base64') } },
      { body: { name: 'n', channel: channelId('') } },
      { body: { name: 'n', channel: {} } },
      { body: { name: 7, channel } },
      { body: { name: 'x'.repeat(100_000), channel } },
    ];
    for (const fault of faults) {
      const { status, body } = await call(server, '/api/networks/current/broadcasts?timeout=0', { token, ...fault });
      assert.equal(status, 400, `${JSON.stringify(fault).slice(0, 100)}: ${JSON.stringify(body)}`);
      assert.ok(body.code && body.message);
    }
    const { status } = await call(server, '/api/networks/current/broadcasts?timeout=0', { token, body: { name: 'n', channel, payload: 'x'.repeat(2_000_000) } });
    assert.equal(status, 413);
  });

  test('whoever goes away ends what he asked', async (t) => {
    const listening = await Listening.open(t, server, await tokenOf(server, DEVICE));
    const channel = channelId('gone');
    await listening.subscribe(channel);
    const abort = new AbortController();
    const asked = fetch(`${server.url}/api/networks/current/broadcasts?timeout=900`, {
      method: 'POST',
      body: JSON.stringify({ name: 'n', channel }),
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
      signal: abort.signal,
    });
    const { id } = await listening.next();
    abort.abort();
    await assert.rejects(asked, { name: 'AbortError' });
    assert.equal((await respond(server, token, { id, channel, payload: 1 })).status, 200);
  });

  test("the guide's example, by curl", async (t) => {
    const listening = await Listening.open(t, server, await tokenOf(server, APP));
    const channel = channelId('myChannelName', { consumer: 1 });
    await listening.subscribe(channel);
    const body = '{ "name": "myEventName", "payload": { "anything": 2, "anything2": ["hi!"] }, "channel": { "name": "myChannelName", "consumer": true } }';
    const url = `${server.url}/api/networks/current/broadcasts?timeout=5000`;
    for (const credential of [token, KEYS.all]) {
      const curl = spawn('curl', ['-sS', url, '-H', `Authorization: Bearer ${credential}`, '-H', 'Content-Type: application/json', '-d', body], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const closed = once(curl, 'close');
      let said = '';
      curl.stdout.on('data', (text) => (said += text));
      const { id, name, payload } = await listening.next();
      assert.deepEqual([name, payload], ['myEventName', { anything: 2, anything2: ['hi!'] }]);
      await respond(server, await tokenOf(server, APP), { id, channel, payload: 'hi there!' });
      await within(closed, 'end of curl');
      assert.deepEqual(JSON.parse(said), ['hi there!']);
    }
  });
});
