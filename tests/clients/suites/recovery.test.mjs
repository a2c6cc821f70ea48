// A client that was away for a while is who it was, and misses nothing: also when the server was away.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CLIENTS, SIO2, SIO4, Sockets, WAYS } from '../harness/clients.mjs';
import { ask, next, nextOnes, record, until } from '../harness/deadline.mjs';
import { Proxy } from '../harness/proxy.mjs';
import { REFERENCE, TestServer } from '../harness/server.mjs';

const RECOVERY_MS = 60_000;
// After this it is stored what a client that is connected could recover.
const STORED_MS = 2500;
const RECONNECTS = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 50, randomizationFactor: 0 };

/** A listener behind a proxy that can take it away, and a speaker with a way of its own. */
class Pair {
  static async meet(t, server, options) {
    const pair = new Pair();
    pair.server = server;
    pair.sockets = new Sockets(t);
    pair.proxy = await Proxy.to(server.url);
    t.after(() => pair.proxy.close());
    pair.listener = pair.sockets.open(SIO4, pair.proxy.url, { ...RECONNECTS, ...options });
    // Each offset of it is one: what came in several ways would be seen.
    pair.heard = record(pair.listener, 'said');
    const upgraded = options.transports.length === 2 && next(pair.listener.io.engine, 'upgrade');
    await next(pair.listener, 'connect');
    await upgraded;
    await pair.speakerComes();
    return pair;
  }

  async speakerComes() {
    this.speaker = await this.sockets.direct(SIO4, this.server.url);
    await ask(this.speaker, 'join', 'room');
  }

  /** What is said in the room is with the server for good when this is over: the speaker has heard it, too. */
  async say(...values) {
    const heard = nextOnes(this.speaker, 'said', values.length);
    for (const value of values) this.speaker.emit('say to all in', 'room', value);
    await heard;
  }

  async goesAway() {
    const { id } = this.listener;
    const gone = next(this.listener, 'disconnect');
    this.proxy.cut();
    await gone;
    // By polling it may have been cut between two polls: then the server has to miss the client first.
    await this.server.reason(id);
    return id;
  }

  /** As far as the listener knows; the server has not heard of it when this is over. */
  async goesAwayUnnoticed() {
    const { id } = this.listener;
    const gone = next(this.listener, 'disconnect');
    this.proxy.hold();
    this.listener.io.engine.close();
    await gone;
    return id;
  }

  async comesBack() {
    const back = next(this.listener, 'connect');
    this.proxy.restore();
    await back;
  }

  /** All that the listener has heard, once it has heard `last`. */
  async hears(last) {
    if (!this.heard.some(([value]) => value === last)) await until(this.listener, 'said', last);
    // Whatever else is on its way comes before this answer.
    await ask(this.listener, 'answer');
    return this.heard.map(([value]) => value);
  }
}

for (const way of WAYS) {
  const { transports } = way;

  describe(`4.8 by ${way.name}`, () => {
    let server;
    before(async () => (server = await TestServer.start({ recovery_ms: RECOVERY_MS, ping_interval_ms: 1000, ping_timeout_ms: 1000 })));
    after(() => server?.kill());

    test('id, rooms, data and what was missed are restored', async (t) => {
      const pair = await Pair.meet(t, server, { transports });
      await ask(pair.listener, 'remember', { name: 'Ada', n: 1 });
      await ask(pair.listener, 'join', ['room', 'second room']);
      assert.equal(pair.listener.recovered, false);
      await pair.say('one', Buffer.from('two'));
      await pair.hears('one');
      // What has no offset must not come again.
      const asked = record(pair.listener, 'question');
      const question = next(pair.listener, 'question');
      await ask(pair.speaker, 'ask room', 'second room', 50, 'here?');
      await question;

      const id = await pair.goesAway();
      const missed = Array.from({ length: 50 }, (_, i) => i);
      await pair.say(...missed, { bytes: Buffer.from('bytes') }, Buffer.from('more'));
      pair.speaker.emit('say volatile', 'room', 'only for those who are here');
      pair.speaker.emit('say', 'another room', 'not for us');
      pair.speaker.emit('whisper', id, 'for you alone');
      await ask(pair.speaker, 'ask room', 'second room', 50, 'and now?');
      await pair.comesBack();

      assert.equal(pair.listener.recovered, true);
      assert.equal(pair.listener.id, id);
      await pair.say('after');
      assert.deepEqual(await pair.hears('after'), [
        'one',
        Buffer.from('two'),
        ...missed,
        { bytes: Buffer.from('bytes') },
        Buffer.from('more'),
        'for you alone',
        'after',
      ]);
      assert.deepEqual(asked.map(([value]) => value), ['here?']);
      const [me] = await ask(pair.listener, 'who am i');
      assert.equal(me.id, id);
      assert.equal(me.recovered, true);
      assert.deepEqual(await ask(pair.listener, 'recall'), [{ name: 'Ada', n: 1 }]);
      assert.deepEqual((await ask(pair.listener, 'rooms'))[0].sort(), ['room', 'second room']);
    });

    test('also what nobody else was told', async (t) => {
      const pair = await Pair.meet(t, server, { transports });
      await ask(pair.listener, 'join', 'room');
      const echoed = next(pair.listener, 'echo');
      pair.listener.emit('echo', 'first');
      await echoed;
      for (let round = 0; round < 3; round++) {
        const id = await pair.goesAway();
        await pair.say(`round ${round}`);
        await pair.comesBack();
        assert.equal(pair.listener.recovered, true);
        assert.equal(pair.listener.id, id);
        await pair.hears(`round ${round}`);
      }
      assert.deepEqual(await pair.hears('round 2'), ['round 0', 'round 1', 'round 2']);
    });

    test('also when there was no event yet', async (t) => {
      if (REFERENCE) {
        t.skip('the reference cannot');
        return;
      }
      const pair = await Pair.meet(t, server, { transports });
      await ask(pair.listener, 'join', 'room');
      const id = await pair.goesAway();
      await pair.say(1, 2, 3);
      await pair.comesBack();
      assert.equal(pair.listener.recovered, true);
      assert.equal(pair.listener.id, id);
      assert.deepEqual(await pair.hears(3), [1, 2, 3]);
    });

    test('also when the server has not noticed', async (t) => {
      if (REFERENCE) {
        t.skip('the reference cannot');
        return;
      }
      const patient = await TestServer.start({ recovery_ms: RECOVERY_MS });
      t.after(() => patient.kill());
      const pair = await Pair.meet(t, patient, { transports });
      await ask(pair.listener, 'join', 'room');
      await pair.say('one');
      await pair.hears('one');
      const id = await pair.goesAwayUnnoticed();
      await pair.say('two', 'three');
      await pair.comesBack();
      assert.equal(pair.listener.recovered, true);
      assert.equal(pair.listener.id, id);
      assert.deepEqual(await pair.hears('three'), ['one', 'two', 'three']);
      assert.deepEqual(await ask(pair.speaker, 'who is in', 'room'), [[id, pair.speaker.id].sort()]);
    });

    test('who left by itself starts anew', async (t) => {
      const pair = await Pair.meet(t, server, { transports });
      await ask(pair.listener, 'join', 'room');
      await pair.say('one');
      await pair.hears('one');
      const { id } = pair.listener;
      pair.listener.disconnect();
      await server.reason(id);
      const back = next(pair.listener, 'connect');
      pair.listener.connect();
      await back;
      assert.equal(pair.listener.recovered, false);
      assert.notEqual(pair.listener.id, id);
      assert.deepEqual(await ask(pair.listener, 'rooms'), [[]]);
    });
  });

  describe(`4.8 by ${way.name}, and the server starts anew`, () => {
    const impatient = { ping_interval_ms: 1000, ping_timeout_ms: 1000 };

    /** A server that keeps what happens in a directory of its own. */
    async function start(t) {
      const directory = await mkdtemp(path.join(tmpdir(), 'antiphon-clients-'));
      const server = await TestServer.start({ recovery_ms: RECOVERY_MS, data_dir: directory, ...impatient });
      t.after(async () => {
        await server.kill();
        await rm(directory, { recursive: true, force: true });
      });
      return server;
    }

    for (const end of ['terminate', 'kill']) {
      test(`all is restored after ${end}`, async (t) => {
        const server = await start(t);
        const pair = await Pair.meet(t, server, { transports });
        await ask(pair.listener, 'remember', { name: 'Ada' });
        await ask(pair.listener, 'join', ['room', 'second room']);
        await pair.say('before', Buffer.from('bytes'));
        await pair.hears('before');

        const id = await pair.goesAway();
        await pair.say('missed', 'before the end');
        await server[end]();
        await server.restart();
        await pair.speakerComes();
        await pair.say('missed', 'after the end', Buffer.from('more'));
        await pair.comesBack();

        assert.equal(pair.listener.recovered, true);
        assert.equal(pair.listener.id, id);
        await pair.say('live');
        assert.deepEqual(await pair.hears('live'), [
          'before',
          Buffer.from('bytes'),
          'missed',
          'before the end',
          'missed',
          'after the end',
          Buffer.from('more'),
          'live',
        ]);
        assert.deepEqual(await ask(pair.listener, 'recall'), [{ name: 'Ada' }]);
        assert.deepEqual((await ask(pair.listener, 'rooms'))[0].sort(), ['room', 'second room']);
      });

      test(`also when it was connected until ${end}, and had no event yet`, async (t) => {
        if (REFERENCE) {
          t.skip('the reference cannot');
          return;
        }
        const server = await start(t);
        const pair = await Pair.meet(t, server, { transports });
        await ask(pair.listener, 'join', 'room');
        // Who is connected is stored from time to time, and there is nothing to tell when.
        if (end === 'kill') await sleep(STORED_MS);
        const { id } = pair.listener;
        const gone = next(pair.listener, 'disconnect');
        await server[end]();
        await gone;
        pair.proxy.cut();
        await server.restart();
        await pair.speakerComes();
        await pair.say('missed');
        await pair.comesBack();
        assert.equal(pair.listener.recovered, true);
        assert.equal(pair.listener.id, id);
        assert.deepEqual(await pair.hears('missed'), ['missed']);
      });
    }
  });
}

test('who comes back too late starts anew', async (t) => {
  const server = await TestServer.start({ recovery_ms: 1, ping_interval_ms: 1000, ping_timeout_ms: 1000 });
  t.after(() => server.kill());
  const pair = await Pair.meet(t, server, { transports: ['websocket'] });
  await ask(pair.listener, 'join', 'room');
  await pair.say('one');
  await pair.hears('one');
  const id = await pair.goesAway();
  await server.reason(id);
  await pair.say('missed');
  await pair.comesBack();
  assert.equal(pair.listener.recovered, false);
  assert.notEqual(pair.listener.id, id);
  assert.deepEqual(await pair.hears('one'), ['one']);
});

test('without recovery, and for older clients, a reconnection is a new socket', async (t) => {
  const plain = await TestServer.start();
  const recovering = await TestServer.start({ recovery_ms: RECOVERY_MS });
  t.after(() => Promise.all([plain.kill(), recovering.kill()]));
  const cases = [[plain, SIO4], ...CLIENTS.filter((client) => client !== SIO4).map((client) => [recovering, client])];
  for (const [server, client] of cases) {
    const proxy = await Proxy.to(server.url);
    t.after(() => proxy.close());
    const socket = await new Sockets(t).direct(client, proxy.url, RECONNECTS);
    const { id } = socket;
    await ask(socket, 'join', 'room');
    const back = next(socket, 'connect');
    proxy.cut();
    proxy.restore();
    await back;
    assert.notEqual(socket.id, id);
    assert.deepEqual(await ask(socket, 'rooms'), [[]]);
    const echoed = nextOnes(socket, 'echo', 1);
    socket.emit('echo', client === SIO2 ? Buffer.from('again') : 'again');
    await echoed;
  }
});
