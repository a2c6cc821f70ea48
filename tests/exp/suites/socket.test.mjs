// The network's socket, packet by packet: what each SDK does on its way to be online, and what others might.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { within } from '../../clients/harness/deadline.mjs';
import { Socket, decodeBinaryPayload3, decodePayload3, encodeBinaryPayload3, encodePayload3 } from '../../clients/harness/wire.mjs';
import { publish } from '../../standalone/harness/others.mjs';
import { Server } from '../../standalone/harness/server.mjs';
import { broadcast, call, channelId, claims, logIn, pythonChannelId, signed, tokenOf } from '../harness/api.mjs';
import { APP, DEVICE, KEYS, SECOND, STRANGER, UNKNOWN, configuration } from '../harness/config.mjs';
import { Listening, poll, socketUrl } from '../harness/socket.mjs';

const PING_INTERVAL_MS = 25_000;
const PING_TIMEOUT_MS = 60_000;
const UNICODE = 'Grüße ☕ 𝄞';

describe('the socket', { concurrency: 8 }, () => {
  let server;
  let hasty;
  let token;
  before(async () => {
    server = await Server.start(undefined, configuration({ exp: 'broadcast_timeout = "200ms"' }));
    hasty = await Server.start(undefined, configuration({ exp: 'broadcast_timeout = "200ms"\ntoken_lifetime = "2s"' }));
    token = await tokenOf(server, DEVICE);
  });
  after(async () => {
    await server?.stop();
    await hasty?.stop();
  });

  // Sockets of one login share their subscriptions, so each has one of its own.
  const login = () => tokenOf(server, DEVICE);
  const listen = async (t) => Listening.open(t, server, await login());

  const say = async (channel, payload, more = {}) => {
    const { status, body } = await broadcast(server, token, { name: 'n', channel, payload, ...more });
    assert.equal(status, 200, JSON.stringify(body));
  };

  test('opens by polling, with `40` in an answer of its own', async () => {
    for (const [query, framed, decode] of [
      ['&b64=1', /^text\/plain; ?charset=utf-8$/i, (bytes) => decodePayload3(bytes.toString())],
      ['', /^application\/octet-stream$/, decodeBinaryPayload3],
    ]) {
      const url = `${server.url}/socket.io/?EIO=3&transport=polling&token=${await login()}${query}`;
      const answers = [];
      const get = async (more = '') => {
        const response = await within(fetch(url + more), 'answer to a poll');
        assert.equal(response.status, 200);
        assert.match(response.headers.get('content-type'), framed);
        answers.push(decode(Buffer.from(await response.arrayBuffer())));
        return answers.at(-1);
      };
      const [open, ...rest] = await get();
      assert.deepEqual([open[0], rest], ['0', []]);
      const { sid, maxPayload, ...handshake } = JSON.parse(open.slice(1));
      assert.ok(sid.length > 10);
      assert.deepEqual(handshake, { upgrades: ['websocket'], pingInterval: PING_INTERVAL_MS, pingTimeout: PING_TIMEOUT_MS });
      assert.deepEqual(await get(`&sid=${sid}`), ['40']);
    }
  });

  test('takes what is posted in either framing, and says `ok`', async () => {
    const channel = channelId('posted');
    const subscribe = `42${JSON.stringify(['subscribe', [channel]])}`;
    for (const query of ['&b64=1', '']) {
      for (const [body, type] of [
        [encodePayload3(subscribe), 'text/plain;charset=UTF-8'],
        [encodeBinaryPayload3(subscribe), 'application/octet-stream'],
      ]) {
        const session = query ? await poll(server, await login(), query) : await binarySession(server, await login());
        const polled = async () => {
          const response = await within(fetch(session.url), 'answer to a poll');
          const bytes = Buffer.from(await response.arrayBuffer());
          return query ? decodePayload3(bytes.toString()) : decodeBinaryPayload3(bytes);
        };
        assert.deepEqual(await polled(), ['40']);
        const posted = await fetch(session.url, { method: 'POST', body, headers: { 'Content-Type': type } });
        assert.deepEqual([posted.status, await posted.text()], [200, 'ok']);
        assert.deepEqual(await polled(), [`42${JSON.stringify(['subscribed', [channel]])}`]);
      }
    }
  });

  test('writes text by polling in ASCII', async () => {
    const polling = await poll(server, await login());
    assert.deepEqual(decodePayload3(await polling.polled()), ['40']);
    const channel = channelId(UNICODE);
    await polling.post(encodePayload3(`42${JSON.stringify(['subscribe', [channel]])}`), { 'Content-Type': 'text/plain' });
    assert.deepEqual(decodePayload3(await polling.polled()), [`42${JSON.stringify(['subscribed', [channel]])}`]);
    const polled = polling.polled();
    await say(channel, { [UNICODE]: UNICODE }, { name: UNICODE });
    const text = await polled;
    assert.match(text, /^[\x20-\x7e]+$/);
    const [packet] = decodePayload3(text);
    const [event, { id, ...message }] = JSON.parse(packet.slice(2));
    assert.deepEqual([event, message], ['broadcast', { name: UNICODE, channel, payload: { [UNICODE]: UNICODE } }]);
  });

  test('goes over to a WebSocket as the JavaScript SDK does', async () => {
    const polling = await poll(server, await login());
    assert.deepEqual(decodePayload3(await polling.polled()), ['40']);
    const hanging = polling.polled();
    const socket = await Socket.open(socketUrl(server, token, `&sid=${polling.sid}`));
    socket.send('2probe');
    assert.equal(await socket.next(), '3probe');
    assert.deepEqual(decodePayload3(await hanging), ['6']);
    // A subscription that is on its way by polling meanwhile.
    const channel = channelId('mid-upgrade');
    await polling.post(encodePayload3(`42${JSON.stringify(['subscribe', [channel]])}`), { 'Content-Type': 'text/plain' });
    socket.send('5');
    assert.equal(await socket.next(), `42${JSON.stringify(['subscribed', [channel]])}`);
    await say(channel, 1);
    assert.equal(JSON.parse((await socket.next()).slice(2))[1].payload, 1);
    socket.close();
  });

  test('releases a poll that comes after the probe', async () => {
    const polling = await poll(server, await login());
    assert.deepEqual(decodePayload3(await polling.polled()), ['40']);
    const socket = await Socket.open(socketUrl(server, token, `&sid=${polling.sid}`));
    socket.send('2probe');
    assert.equal(await socket.next(), '3probe');
    assert.deepEqual(decodePayload3(await polling.polled()), ['6']);
    socket.send('5', '2');
    assert.equal(await socket.next(), '3');
    socket.close();
  });

  test('goes over to a WebSocket as the Python SDK does, which has not polled `40`', async () => {
    const session = await binarySession(server, await login());
    const socket = await Socket.open(socketUrl(server, token, `&sid=${session.sid}`));
    socket.send('2probe');
    assert.equal(await socket.next(), '3probe');
    socket.send('5');
    assert.equal(await socket.next(), '40');
    // It pings at once, and reads what comes one after the other.
    socket.send('2', `42${JSON.stringify(['subscribe', [channelId('python')]])}`);
    const got = [await socket.next(), await socket.next()];
    assert.deepEqual(got, ['3', `42${JSON.stringify(['subscribed', [channelId('python')]])}`]);
    // It says good-bye without closing the connection.
    socket.send('1');
    await socket.closed();
  });

  test('takes a WebSocket request with two `Connection` headers', async (t) => {
    const { host, hostname, port, pathname, search } = new URL(socketUrl(server, token));
    const socket = connect(Number(port), hostname);
    t.after(() => socket.destroy());
    const lines = ['Upgrade: websocket', 'Connection: Upgrade', 'Connection: keep-alive', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13'];
    socket.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\n${lines.join('\r\n')}\r\nOrigin: http://${host}\r\n\r\n`);
    const [answer] = await within(once(socket, 'data'), 'answer');
    assert.match(answer.toString(), /^HTTP\/1\.1 101 /);
  });

  test('opens by a WebSocket alone', async (t) => {
    const listening = await listen(t);
    const { sid, ...handshake } = listening.handshake;
    assert.equal(typeof sid, 'string');
    assert.equal(handshake.pingInterval, PING_INTERVAL_MS);
    assert.equal(handshake.pingTimeout, PING_TIMEOUT_MS);
    const channel = channelId('direct');
    assert.deepEqual(await listening.subscribe(channel), [channel]);
    await say(channel, 'direct');
    assert.equal((await listening.next()).payload, 'direct');
    listening.socket.send('2', '2with data');
    assert.deepEqual([await listening.socket.next(), await listening.socket.next()], ['3', '3with data']);
  });

  test('echoes ids as they were written, to each who wrote them', async (t) => {
    const id = channelId(`${UNICODE}??>>`);
    const others = [id.replaceAll('+', '-').replaceAll('/', '_'), pythonChannelId(`${UNICODE}??>>`), id.replace(/=+$/, '')].filter((other) => other !== id);
    assert.ok(others.length >= 2);
    const listenings = await Promise.all([id, ...others].map(() => listen(t)));
    for (const [n, spelling] of [id, ...others].entries()) {
      assert.deepEqual(await listenings[n].subscribe(spelling), [spelling]);
    }
    await say(id, 'for all');
    for (const [n, spelling] of [id, ...others].entries()) assert.equal((await listenings[n].next()).channel, spelling);
    // Two spellings on one socket are two channels to its client.
    const both = await listen(t);
    assert.deepEqual(await both.subscribe(id, others[0]), [id, others[0]]);
    assert.deepEqual(await both.subscribe(id), [id]);
    await say(others[1], 'once for each');
    const heard = [await both.next(), await both.next()];
    assert.deepEqual(heard.map(({ channel }) => channel).sort(), [id, others[0]].sort());
    assert.deepEqual(heard.map(({ payload }) => payload), ['once for each', 'once for each']);
    await both.quiet();
  });

  test('subscribes to nothing, and to much', async (t) => {
    const listening = await listen(t);
    assert.deepEqual(await listening.subscribe(), []);
    const ids = Array.from({ length: 200 }, (_, n) => channelId(`much ${n}`));
    assert.deepEqual(await listening.subscribe(...ids), ids);
    await say(ids[137], 137);
    assert.equal((await listening.next()).payload, 137);
  });

  test('leaves out ids that are refused or none', async (t) => {
    const mine = channelId('mine');
    const system = channelId('mine', { system: 1 });
    const consumer = channelId('mine', { consumer: 1 });
    const both = channelId('mine', { system: 1, consumer: 1 });
    const none = ['', 'nonsense', '????', Buffer.from('{}').toString('base64'), 'x'.repeat(10_000)];
    const others = [channelId('theirs', { org: 'other' }), channelId('theirs', { org: null }), channelId('theirs', { org: '' })];
    const device = await listen(t);
    assert.deepEqual(await device.subscribe(...none, mine, ...others, system, consumer, both), [mine, system, consumer, both]);
    const app = await Listening.open(t, server, await tokenOf(server, APP));
    const granted = await app.subscribe(mine, system, consumer, ...others);
    assert.deepEqual(granted, [consumer]);
    await say(mine, 'not for apps');
    await say(consumer, 'for apps');
    assert.equal((await app.next()).payload, 'for apps');
    const stranger = await Listening.open(t, server, await tokenOf(server, STRANGER));
    assert.deepEqual(await stranger.subscribe(mine), []);
    await say(mine, 'for my org');
    await stranger.quiet();
  });

  test('hears of the system', async (t) => {
    const listening = await listen(t);
    const channel = channelId('system news', { system: 1 });
    await listening.subscribe(channel);
    const path = '/v1/channels/system%20news?system=true&name=update';
    const { status, body } = await call(server, path, { token: KEYS.admin, body: { version: 2 } });
    assert.ok(status >= 200 && status < 300, JSON.stringify(body));
    const { id, ...message } = await listening.next();
    assert.deepEqual(message, { name: 'update', channel, payload: { version: 2 } });
  });

  test('lives with events that are none', async (t) => {
    const listening = await listen(t);
    for (const event of [['subscribe'], ['subscribe', 'no list'], ['subscribe', [1, null, {}]], ['subscribe', {}], ['nothing'], ['broadcast', {}], ['subscribed', []]]) {
      listening.emit(...event);
    }
    const channel = channelId('still there');
    listening.emit('subscribe', [channel]);
    let granted;
    do granted = (await listening.event())[1];
    while (!granted.includes(channel));
    await say(channel, 'yes');
    assert.equal((await listening.next()).payload, 'yes');
  });

  test('ends when the JavaScript SDK stops', async (t) => {
    const listening = await listen(t);
    listening.socket.send('41');
    await listening.closed();
    // By polling too.
    const polling = await poll(server, await login());
    await polling.polled();
    await polling.post(encodePayload3('41', '1'), { 'Content-Type': 'text/plain' });
    const { status } = await polling.post(encodePayload3('2'), { 'Content-Type': 'text/plain' });
    assert.equal(status, 400);
  });

  test('refuses bad tokens at the handshake', async () => {
    const ended = `${token.slice(0, -6)}AAAAAA`;
    const { restrictedToken } = (await logIn(server, DEVICE)).body;
    const foreign = signed({ org: 'scala', sub: DEVICE.uuid, exp: Math.round(Date.now() / 1000) + 60 }, 'of another server');
    for (const bad of [ended, foreign, signed(claims(DEVICE), DEVICE.secret)]) {
      const response = await fetch(`${server.url}/socket.io/?EIO=3&transport=polling&token=${bad}`);
      assert.ok(response.status >= 400 && response.status < 500, `${bad}: ${response.status}`);
      await response.body.cancel();
      const socket = new Socket(socketUrl(server, bad));
      // It is not opened, so that no packet is sent either.
      assert.equal(await socket.closed(), 1006);
    }
    const response = await fetch(`${server.url}/socket.io/?EIO=3&transport=polling&b64=1&token=${restrictedToken}`);
    assert.equal(response.status, 200);
    await response.body.cancel();
  });

  test('ends with its token, without a word that makes SDKs deaf', async (t) => {
    const { body } = await logIn(hasty, DEVICE);
    const listening = await Listening.open(t, hasty, body.token);
    await listening.closed(15_000);
    assert.ok(Date.now() >= body.expiration - 100, `${body.expiration - Date.now()} ms too early`);
    const packets = [];
    for (let packet; (packet = await listening.socket.next(1).catch(() => undefined)); ) packets.push(packet);
    assert.ok(!packets.some((packet) => packet.startsWith('41') || packet.startsWith('44')), packets.join());
    const again = await fetch(`${hasty.url}/socket.io/?EIO=3&transport=polling&token=${body.token}`);
    assert.equal(again.status, 401);
    await again.body.cancel();
    assert.equal((await broadcast(hasty, body.token, { name: 'n', channel: channelId('c') })).status, 401);
    assert.equal((await call(hasty, '/api/auth/token', { token: body.token })).status, 401);
  });

  test('ends with its credentials', async (t) => {
    const body = { kind: 'device', name: 'short-lived', secret: 'short-lived-secret' };
    assert.equal((await call(server, '/v1/credentials', { token: KEYS.admin, body })).status, 201);
    const listening = await Listening.open(t, server, await tokenOf(server, { uuid: body.name, secret: body.secret }));
    await listening.subscribe(channelId('c'));
    assert.equal((await call(server, '/v1/credentials/device/short-lived', { method: 'DELETE', token: KEYS.admin })).status, 200);
    await listening.closed();
  });

  test('keeps its subscriptions for the next one of its login', async (t) => {
    const { body } = await logIn(server, SECOND);
    const spellings = [channelId(`kept ${UNICODE}`), pythonChannelId(`kept ${UNICODE}`)];
    const first = await Listening.open(t, server, body.token);
    await first.subscribe(...spellings);
    first.socket.terminate();
    const refreshed = (await call(server, '/api/auth/token', { token: body.token })).body;
    for (const token of [body.token, refreshed.token]) {
      const next = await Listening.open(t, server, token);
      await say(spellings[0], 'kept');
      const heard = [];
      while (heard.length < 2) {
        const [event, value] = await next.event();
        if (event === 'broadcast') heard.push(value.channel);
      }
      assert.deepEqual(heard.sort(), [...spellings].sort());
      next.socket.terminate();
    }
    // Another login of the same device has none of them.
    const other = await Listening.open(t, server, (await logIn(server, SECOND)).body.token);
    await say(spellings[0], 'not for you');
    await other.quiet();
  });

  test('keeps subscriptions through an end of the server, each with its permission', async (t) => {
    const own = await Server.start(t, configuration());
    const channel = channelId('kept through');
    const { body } = await logIn(own, SECOND);
    const first = await Listening.open(t, own, body.token);
    await first.subscribe(channel);
    // What is stored is stored in order: with this, the subscription is.
    await publish(own, 'stored', '1', { token: KEYS.all });
    await own.kill();
    await own.restart();
    const next = await Listening.open(t, own, body.token);
    const said = await broadcast(own, await tokenOf(own, DEVICE), { name: 'n', channel, payload: 'after' });
    assert.equal(said.status, 200);
    let event;
    do event = await next.event();
    while (event[0] !== 'broadcast');
    assert.equal(event[1].payload, 'after');
  });

  test('of a device that waits for pairing gets nothing', async (t) => {
    const { body } = await logIn(server, { ...UNKNOWN, allowPairing: true });
    assert.equal(body.identity.isPairing, true);
    const listening = await Listening.open(t, server, body.token);
    const ids = [channelId('x', { org: null }), channelId('x'), channelId(UNKNOWN.uuid, { org: null, system: 1 })];
    assert.deepEqual(await listening.subscribe(...ids), []);
    await say(channelId('x'), 'not for you');
    await listening.quiet();
  });

  test('of the SDK on Node says an origin that is none', async () => {
    const response = await fetch(`${server.url}/socket.io/?EIO=3&transport=polling&token=${token}`, { headers: { Origin: '127.0.0.1:19000' } });
    assert.equal(response.status, 200);
    await response.body.cancel();
  });
});

/** A session by polling with the framing that the Python SDK reads. Only what opens it has been read. */
async function binarySession(server, token) {
  const url = `${server.url}/socket.io/?EIO=3&transport=polling&token=${token}`;
  const response = await within(fetch(url), 'handshake');
  const [open] = decodeBinaryPayload3(Buffer.from(await response.arrayBuffer()));
  const { sid } = JSON.parse(open.slice(1));
  return { sid, url: `${url}&sid=${sid}` };
}
