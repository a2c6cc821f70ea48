// With connection state recovery a client gets back what it subscribed to and what it missed, also when the server was killed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { next, record, until } from '../../clients/harness/deadline.mjs';
import { Proxy } from '../../clients/harness/proxy.mjs';
import { V1, forget, publish } from '../harness/others.mjs';
import { Server } from '../harness/server.mjs';
import { connect, connect2, connected, ok, open, problem } from '../harness/sockets.mjs';
import { ALL, org, token } from '../harness/tokens.mjs';

const RECOVERY = '[socketio.recovery]\nenabled = true\n[socketio.engine]\nping_interval_ms = 1000\nping_timeout_ms = 1000\n';
const VOLATILE = '[[rule]]\nchannels = "lost.*"\npersist = false\n';
const RECONNECTS = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 50, randomizationFactor: 0 };
const WAYS = [['websocket'], ['polling'], ['polling', 'websocket']];

/** A client behind a proxy that can take it away. */
class Listener {
  static async meet(t, server, options = {}) {
    const listener = new Listener();
    listener.proxy = await Proxy.to(server.url);
    t.after(() => listener.proxy.close());
    listener.socket = open(t, listener.proxy.url, { ...RECONNECTS, auth: { identity: 'listener' }, ...options });
    const upgraded = options.transports?.length === 2 && next(listener.socket.io.engine, 'upgrade');
    await connected(listener.socket);
    await upgraded;
    listener.id = listener.socket.id;
    listener.heard = record(listener.socket, 'said');
    return listener;
  }

  async goesAway() {
    const gone = next(this.socket, 'disconnect');
    this.proxy.cut();
    await gone;
  }

  /** Comes back: whether as who it was. */
  async comesBack() {
    const back = next(this.socket, 'connect');
    this.proxy.restore();
    await back;
    const { id } = this;
    this.id = this.socket.id;
    assert.equal(this.socket.recovered, this.id === id);
    return this.socket.recovered;
  }

  /** What it heard, up to `last`. */
  async hears(last) {
    if (!this.heard.some(([value]) => value === last)) await until(this.socket, 'said', last);
    await ok(this.socket, 'presence', 'anything');
    return this.heard.map(([value]) => value);
  }
}

async function say(server, channel, ...values) {
  for (const value of values) await publish(server, channel, JSON.stringify(value), { name: 'said' });
}

for (const transports of WAYS) {
  for (const before of [[], ['before']]) {
    test(`a killed server has a client back, by ${transports.join(' and ')}, ${before.length ? 'with' : 'without'} an event before`, async (t) => {
      const server = await Server.start(t, RECOVERY);
      const listener = await Listener.meet(t, server, { transports });
      assert.equal(listener.socket.recovered, false);
      await ok(listener.socket, 'subscribe', ['room', 'second']);
      await say(server, 'room', ...before);
      if (before.length) await listener.hears('before');
      await listener.goesAway();
      await say(server, 'room', 1, 2);
      await say(server, 'second', 3);
      await say(server, 'elsewhere', 'not asked for');
      await server.kill();
      await server.restart();
      await say(server, 'second', 4);
      await say(server, 'room', 5);
      assert.ok(await listener.comesBack());
      await say(server, 'room', 'live');
      assert.deepEqual(await listener.hears('live'), [...before, 1, 2, 3, 4, 5, 'live']);
      // And once more, by what it has since.
      await listener.goesAway();
      await say(server, 'second', 6);
      assert.ok(await listener.comesBack());
      assert.deepEqual(await listener.hears(6), [...before, 1, 2, 3, 4, 5, 'live', 6]);
    });

    test(`also who was connected until then, by ${transports.join(' and ')}, ${before.length ? 'with' : 'without'} an event before`, async (t) => {
      const server = await Server.start(t, RECOVERY);
      const listener = await Listener.meet(t, server, { transports });
      await ok(listener.socket, 'subscribe', 'room');
      await say(server, 'room', ...before);
      if (before.length) await listener.hears('before');
      else await ok(listener.socket, 'subscribe', 'another');
      // What was acknowledged holds at once.
      const gone = next(listener.socket, 'disconnect');
      await server.kill();
      listener.proxy.cut();
      await gone;
      await server.restart();
      await say(server, 'room', 'missed');
      assert.ok(await listener.comesBack());
      assert.deepEqual(await listener.hears('missed'), [...before, 'missed']);
    });
  }
}

test('a server that stops in good order has its clients back', async (t) => {
  const server = await Server.start(t, RECOVERY);
  const listener = await Listener.meet(t, server);
  await ok(listener.socket, 'subscribe', 'room');
  await say(server, 'room', 'before');
  await listener.hears('before');
  const gone = next(listener.socket, 'disconnect');
  await server.terminate();
  listener.proxy.cut();
  await gone;
  await server.restart();
  await say(server, 'room', 'missed');
  assert.ok(await listener.comesBack());
  assert.deepEqual(await listener.hears('missed'), ['before', 'missed']);
});

test('what a client asked for is as it was', async (t) => {
  const server = await Server.start(t, RECOVERY);
  const listener = await Listener.meet(t, server);
  const { socket } = listener;
  await ok(socket, 'subscribe', [
    { channel: 'filtered', events: ['said'] },
    { channel: 'watched', presence: true },
    { channel: 'present', join: true, state: { mood: 'fine' } },
    { channel: 'flagged', consumer: true },
    '/odd',
    'gone again',
  ]);
  await ok(socket, 'unsubscribe', 'gone again');
  for (const end of ['cut', 'kill']) {
    await listener.goesAway();
    if (end === 'kill') {
      await server.kill();
      await server.restart();
    }
    const speaker = await connect(t, server.url, { auth: { identity: 'speaker' } });
    await ok(speaker, 'publish', 'filtered', 'not wanted', { name: 'other' });
    await say(server, 'filtered', 1);
    await ok(speaker, 'publish', { channel: 'flagged', consumer: true }, 2, { name: 'said' });
    await say(server, 'flagged', 'another channel');
    await say(server, '/odd', 3);
    await say(server, 'gone again', 'not asked for');
    const all = record(socket, 'other');
    const told = next(socket, 'presence');
    assert.ok(await listener.comesBack(), end);
    await ok(speaker, 'subscribe', { channel: 'watched', join: true });
    assert.deepEqual((await told).slice(0, 2), ['watched', 'join']);
    await ok(speaker, 'publish', 'filtered', 'not wanted', { name: 'other' });
    await say(server, '/odd', 'live');
    assert.deepEqual(await listener.hears('live'), [1, 2, 3, 'live']);
    assert.deepEqual(all, []);
    const { members } = await ok(speaker, 'presence', 'present');
    assert.deepEqual(members, [{ identity: 'listener', state: { mood: 'fine' }, sessions: 1 }]);
    assert.equal((await problem(socket, 'subscribe', '/odd')).word, 'conflict');
    speaker.disconnect();
    listener.heard.length = 0;
  }
});

test('what came of the past does not bring back what was live before it', async (t) => {
  const server = await Server.start(t, RECOVERY);
  await say(server, 'past', 'p1', 'p2');
  const listener = await Listener.meet(t, server);
  await ok(listener.socket, 'subscribe', 'live');
  await say(server, 'live', 'l1', 'l2');
  await listener.hears('l2');
  // The last event of the client is older than what it has of the other channel.
  await ok(listener.socket, 'subscribe', { channel: 'past', since: '0' });
  assert.deepEqual(await listener.hears('p2'), ['l1', 'l2', 'p1', 'p2']);
  for (const end of ['cut', 'kill']) {
    await listener.goesAway();
    await say(server, 'live', `l after ${end}`);
    await say(server, 'past', `p after ${end}`);
    if (end === 'kill') {
      await server.kill();
      await server.restart();
    }
    assert.ok(await listener.comesBack());
    await listener.hears(`p after ${end}`);
  }
  assert.deepEqual(
    listener.heard.map(([value]) => value),
    ['l1', 'l2', 'p1', 'p2', 'l after cut', 'p after cut', 'l after kill', 'p after kill'],
  );
});

test('what was heard is not sent again when the last of it has been deleted', async (t) => {
  const server = await Server.start(t, RECOVERY);
  await say(server, 'kept', 'k1');
  await say(server, 'deleted', 'd1');
  const listener = await Listener.meet(t, server);
  const channels = ['kept', 'deleted'].map((channel) => ({ channel, since: '0' }));
  await ok(listener.socket, 'subscribe', channels);
  assert.deepEqual(await listener.hears('d1'), ['k1', 'd1']);
  await listener.goesAway();
  await forget(server, 'deleted');
  await say(server, 'kept', 'k2');
  // Nobody can tell any more whether d1 came of the past of its channel or was live before that.
  assert.equal(await listener.comesBack(), false);
  await ok(listener.socket, 'subscribe', 'kept');
  await say(server, 'kept', 'k3');
  assert.deepEqual(await listener.hears('k3'), ['k1', 'd1', 'k3']);
});

test('events without a position do not spoil it', async (t) => {
  const server = await Server.start(t, RECOVERY);
  const listener = await Listener.meet(t, server);
  const { socket } = listener;
  await ok(socket, 'subscribe', 'room');
  await say(server, 'room', 1);
  await listener.hears(1);
  // A client takes the string at the end of an event for its position.
  const signals = { text: '"a string"', empty: '[]', json: '{"a":"string"}' };
  for (const [name, body] of Object.entries(signals)) {
    const heard = next(socket, name);
    await publish(server, 'room', body, { name, kind: 'signal' });
    const [value, ...more] = await heard;
    assert.deepEqual([value, more], [JSON.parse(body), name === 'text' ? [null] : []]);
    await listener.goesAway();
    await say(server, 'room', name);
    assert.ok(await listener.comesBack(), name);
  }
  const failed = next(socket, 'antiphon.error');
  socket.emit('publish');
  await failed;
  const asked = next(socket, 'asked');
  await publish(server, 'room', '"a broadcast"', { name: 'asked' });
  await asked;
  await listener.goesAway();
  await say(server, 'room', 'last');
  assert.ok(await listener.comesBack());
  assert.deepEqual(await listener.hears('last'), [1, 'text', 'empty', 'json', 'last']);
});

test('who cannot have all that he missed starts anew', async (t) => {
  const server = await Server.start(t, `${VOLATILE}${RECOVERY}`);
  const listener = await Listener.meet(t, server);
  await ok(listener.socket, 'subscribe', ['room', 'lost.room']);
  await say(server, 'lost.room', 'before');
  await listener.hears('before');
  // Memory has it as long as the server lives.
  await listener.goesAway();
  await say(server, 'lost.room', 'missed');
  assert.ok(await listener.comesBack());
  assert.deepEqual(await listener.hears('missed'), ['before', 'missed']);
  await listener.goesAway();
  await server.kill();
  await server.restart();
  assert.equal(await listener.comesBack(), false);
  await ok(listener.socket, 'subscribe', ['room', 'lost.room']);
});

test('who left by himself, or comes too late, starts anew', async (t) => {
  const server = await Server.start(t, RECOVERY.replace('enabled = true', 'enabled = true\nmax_disconnection = "1ms"'));
  const listener = await Listener.meet(t, server);
  await ok(listener.socket, 'subscribe', 'room');
  await listener.goesAway();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(await listener.comesBack(), false);
  await ok(listener.socket, 'subscribe', 'room');
  const { id } = listener.socket;
  const gone = next(listener.socket, 'disconnect');
  listener.socket.disconnect();
  await gone;
  const back = next(listener.socket, 'connect');
  listener.socket.connect();
  await back;
  assert.equal(listener.socket.recovered, false);
  assert.notEqual(listener.socket.id, id);
});

test('permission is asked again, and nobody goes on for another', async (t) => {
  const orgs = org('acme', { 'acme-all-0123456789': { allow: ALL }, 'acme-some-0123456789': { allow: ALL, channels: ['room.*'] } }) +
    org('globex', { 'globex-all-0123456789': { allow: ALL } });
  const server = await Server.start(t, `${orgs}${RECOVERY}`);
  const auth = { token: 'acme-all-0123456789', identity: 'ann' };
  /** Comes back with other credentials: whether as who it was. */
  const back = async (listener, auth) => {
    await listener.goesAway();
    listener.socket.auth = auth;
    return listener.comesBack();
  };
  for (const [channel, credential, expected] of [
    ['room.1', 'acme-some-0123456789', true],
    ['secret', 'acme-some-0123456789', false],
    ['secret', token({ org: 'acme', permissions: [{ channels: ['*'], allow: ALL }] }), true],
    ['room.1', 'globex-all-0123456789', false],
  ]) {
    const listener = await Listener.meet(t, server, { auth });
    await ok(listener.socket, 'subscribe', channel);
    assert.equal(await back(listener, { token: credential, identity: 'ann' }), expected, `${channel} ${credential}`);
    // What is another's now is not heard.
    const heard = record(listener.socket, 'message');
    await publish(server, channel, '1', { token: 'acme-all-0123456789' });
    await ok(listener.socket, 'presence', 'room.1');
    assert.deepEqual(heard.map(([value]) => value), expected ? [1] : []);
    listener.socket.disconnect();
  }
  for (const [pretender, restarts] of [
    [{ token: 'acme-all-0123456789', identity: 'bob' }, false],
    [{ token: 'acme-all-0123456789' }, false],
    [{ token: 'globex-all-0123456789', identity: 'ann' }, true],
    [{ token: 'acme-all-0123456789', identity: 'bob' }, true],
  ]) {
    const listener = await Listener.meet(t, server, { auth });
    await ok(listener.socket, 'subscribe', 'secret');
    const { id, _pid: pid } = listener.socket;
    assert.ok(pid);
    // While it is connected, and when it has gone: by another, then by itself.
    const thief = async () => {
      const thief = await connect(t, server.url, { auth: { ...pretender, pid } });
      assert.notEqual(thief.id, id);
      thief.disconnect();
    };
    await thief();
    assert.equal(listener.socket.connected, true);
    await listener.goesAway();
    if (restarts) {
      await server.kill();
      await server.restart();
    }
    await thief();
    assert.ok(await listener.comesBack(), JSON.stringify(pretender));
    listener.socket.disconnect();
  }
});

test('two orgs recover side by side', async (t) => {
  const orgs = ['acme', 'globex'].map((name) => org(name, { [`${name}-all-0123456789`]: { allow: ALL } })).join('');
  const server = await Server.start(t, `${orgs}${RECOVERY}`);
  const names = ['acme', 'globex'];
  const listeners = await Promise.all(names.map((name) => Listener.meet(t, server, { auth: { token: `${name}-all-0123456789`, identity: 'ann' } })));
  const speak = (name, value) => publish(server, 'room', JSON.stringify(value), { token: `${name}-all-0123456789`, name: 'said' });
  for (const [n, listener] of listeners.entries()) {
    await ok(listener.socket, 'subscribe', 'room');
    await speak(names[n], `${names[n]} before`);
    await listener.hears(`${names[n]} before`);
  }
  // Only one org publishes for a while: their positions have nothing to do with each other.
  for (let n = 0; n < 20; n++) await speak('acme', `more ${n}`);
  for (const listener of listeners) await listener.goesAway();
  await speak('globex', 'globex missed');
  await server.kill();
  await server.restart();
  for (const name of names) await speak(name, `${name} last`);
  for (const listener of listeners) assert.ok(await listener.comesBack());
  const more = Array.from({ length: 20 }, (_, n) => `more ${n}`);
  assert.deepEqual(await listeners[0].hears('acme last'), ['acme before', ...more, 'acme last']);
  assert.deepEqual(await listeners[1].hears('globex last'), ['globex before', 'globex missed', 'globex last']);
  const failed = next(listeners[1].socket, 'antiphon.error');
  listeners[1].socket.emit('publish');
  assert.equal((await failed)[0].status, 400);
});

test('only clients that can recover are told positions', async (t) => {
  const server = await Server.start(t, RECOVERY);
  const [current, old] = [await connect(t, server.url), await connect2(t, server.url)];
  const v1 = await V1.open(t, server);
  await v1.ask('subscribe', { channels: ['room'] });
  const heard = [current, old].map((socket) => record(socket, 'said'));
  for (const socket of [current, old]) await ok(socket, 'subscribe', 'room');
  await say(server, 'room', 1);
  const { position } = await v1.next();
  for (const socket of [current, old]) await ok(socket, 'presence', 'room');
  assert.deepEqual(heard, [[[1, position]], [[1]]]);
});
