// Who a client is: by key or token, in auth, query or header; what it may do; and that orgs are kept apart.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { next, nextOnes, record } from '../../clients/harness/deadline.mjs';
import { V1, broadcast, poll, publish } from '../harness/others.mjs';
import { Server } from '../harness/server.mjs';
import { connect, connect2, ok, open, open2, problem, refused } from '../harness/sockets.mjs';
import { ALL, org, token } from '../harness/tokens.mjs';

const ACME = org('acme', {
  'acme-all-0123456789': { allow: ALL },
  'acme-listener-0123456789': { allow: ['subscribe'], channels: ['news.*'], identity: 'listener' },
  'acme-speaker-0123456789': { allow: ['publish'], channels: ['news.*'], identity: 'speaker' },
});
const GLOBEX = org('globex', { 'globex-all-0123456789': { allow: ALL } });

for (const workers of [1, 4]) {
  describe(`with ${workers} workers`, () => {
    let server;
    before(async () => (server = await Server.start(undefined, `workers = ${workers}\n${ACME}${GLOBEX}`)));
    after(() => server?.stop());

    const ways = {
      'auth': (credential) => ({ auth: { token: credential, identity: 'ann' } }),
      'the query': (credential) => ({ query: { token: credential, identity: 'ann' } }),
      'a header': (credential) => ({ extraHeaders: { Authorization: `Bearer ${credential}` }, query: { identity: 'ann' } }),
    };
    for (const [way, options] of Object.entries(ways)) {
      for (const transports of [['polling'], ['websocket']]) {
        // Channels of its own: the sockets of the test before may still be leaving.
        test(`a key and a token in ${way}, by ${transports}`, async (t) => {
          for (const credential of ['acme-all-0123456789', token({ org: 'acme', sub: 'ann', permissions: [{ channels: ['*'], allow: ALL }] })]) {
            const socket = await connect(t, server.url, { transports, ...options(credential) });
            const channel = `who.${way}.${transports}.${credential.length}`;
            await ok(socket, 'subscribe', { channel, join: true });
            const { members } = await ok(socket, 'presence', channel);
            assert.deepEqual(members, [{ identity: 'ann', sessions: 1 }]);
          }
        });
      }
    }

    test('a client 2.5 has them in the query or the header', async (t) => {
      for (const options of [ways['the query'], ways['a header']]) {
        const { query, extraHeaders } = options('acme-all-0123456789');
        const socket = await connect2(t, server.url, { query, extraHeaders, transportOptions: { websocket: { extraHeaders } } });
        await ok(socket, 'subscribe', { channel: 'old', join: true });
        assert.equal((await ok(socket, 'presence', 'old')).members[0].identity, 'ann');
        socket.disconnect();
      }
    });

    test('auth counts more than the header, and that more than the query', async (t) => {
      const extraHeaders = { Authorization: 'Bearer acme-listener-0123456789' };
      const all = { auth: { token: 'globex-all-0123456789' }, extraHeaders, query: { token: 'nobody-0123456789' } };
      const socket = await connect(t, server.url, all);
      await ok(socket, 'subscribe', 'only where all is allowed');
      const second = await connect(t, server.url, { extraHeaders, query: { token: 'nobody-0123456789' } });
      assert.equal((await problem(second, 'subscribe', 'only where all is allowed')).word, 'not-permitted');
    });

    test('who is not known is told why', async (t) => {
      for (const [options, word, detail] of [
        [{}, 'unauthorized', /credential/],
        [{ auth: { token: 'nobody-0123456789' } }, 'unauthorized', /key/],
        [{ auth: { token: token({ org: 'acme', seconds: -60 }) } }, 'unauthorized', /expired/],
        [{ auth: { token: token({ org: 'initech' }) } }, 'unauthorized', /./],
        [{ auth: { token: `${token({ org: 'acme' }).slice(0, -4)}AAAA` } }, 'unauthorized', /signature/],
        [{ auth: { token: 17 } }, 'invalid-parameter', /auth is an object with token and identity, which are strings/],
        [{ auth: { token: 'acme-all-0123456789', identity: '' } }, 'invalid-parameter', /identity/],
        [{ extraHeaders: { Authorization: 'Basic eDp5' } }, 'unauthorized', /./],
      ]) {
        const error = await refused(t, server.url, options);
        assert.equal(error.data?.type, `urn:antiphon:problem:${word}`, JSON.stringify([options, error.message, error.data]));
        assert.match(error.message, detail);
        assert.equal(error.message, error.data.detail);
      }
      const old = open2(t, server.url, { query: { token: 'nobody-0123456789' } });
      const [document] = await next(old, 'error');
      assert.equal(document.type, 'urn:antiphon:problem:unauthorized');
    });

    test('a refusal says which permission on which channel', async (t) => {
      const listener = await connect(t, server.url, { auth: { token: 'acme-listener-0123456789' } });
      const speaker = await connect(t, server.url, { auth: { token: 'acme-speaker-0123456789' } });
      await ok(listener, 'subscribe', 'news.today');
      const heard = next(listener, 'message');
      await ok(speaker, 'publish', 'news.today', 'it is permitted');
      assert.deepEqual(await heard, ['it is permitted']);
      for (const [socket, event, values, permission, channel] of [
        [listener, 'subscribe', ['private'], 'subscribe', 'private'],
        [listener, 'subscribe', [['news.x', 'private']], 'subscribe', 'private'],
        [listener, 'subscribe', [{ channel: 'news.x', join: true }], 'presence', 'news.x'],
        [listener, 'subscribe', [{ channel: 'news.x', presence: true }], 'presence', 'news.x'],
        [listener, 'publish', ['news.today', 1], 'publish', 'news.today'],
        [listener, 'broadcast', ['news.today', 1], 'publish', 'news.today'],
        [listener, 'history', ['news.today'], 'history', 'news.today'],
        [listener, 'presence', ['news.today'], 'presence', 'news.today'],
        [speaker, 'subscribe', ['news.today'], 'subscribe', 'news.today'],
        [speaker, 'history', [{ channel: 'news.today', since: '0' }], 'subscribe', 'news.today'],
        [speaker, 'publish', [{ channel: 'news.today', system: true, payload: 1 }], 'publish', 'news.today'],
      ]) {
        const found = await problem(socket, event, ...values);
        const what = `${event} ${JSON.stringify(values)}: ${JSON.stringify(found)}`;
        assert.deepEqual([found.word, found.status], ['not-permitted', 403], what);
        assert.equal(found.permission, permission, what);
        assert.equal(found.channel, channel, what);
      }
      // All or nothing: not even the one that it may.
      await ok(listener, 'subscribe', 'news.x');
    });

    test('orgs are kept apart', async (t) => {
      const [acme, globex] = await Promise.all(
        ['acme-all-0123456789', 'globex-all-0123456789'].map((credential, n) =>
          connect(t, server.url, { auth: { token: credential, identity: 'ann' }, transports: n ? ['polling'] : ['websocket'] })),
      );
      for (const socket of [acme, globex]) await ok(socket, 'subscribe', { channel: 'lobby', join: true, presence: true });
      const [toAcme, toGlobex] = [acme, globex].map((socket) => {
        const heard = [];
        socket.onAny((...event) => heard.push(event.filter((value) => typeof value !== 'function')));
        return heard;
      });
      await ok(acme, 'publish', 'lobby', 'of acme');
      await publish(server, 'lobby', '"also of acme"', { token: 'acme-all-0123456789' });
      await ok(globex, 'publish', 'lobby', 'of globex');
      assert.equal((await ok(acme, 'presence', 'lobby')).occupancy, 1);
      assert.equal((await ok(globex, 'presence', 'lobby')).occupancy, 1);
      const payloads = async (socket) => (await ok(socket, 'history', 'lobby')).messages.map(({ payload }) => payload);
      assert.deepEqual(await payloads(acme), ['of acme', 'also of acme']);
      assert.deepEqual(await payloads(globex), ['of globex']);
      const messages = (heard) => heard.filter(([name]) => name === 'message').map(([, payload]) => payload);
      assert.deepEqual(messages(toAcme), ['of acme', 'also of acme']);
      assert.deepEqual(messages(toGlobex), ['of globex']);
    });

    test('nobody answers another org\'s broadcast, nor one on a channel that he does not listen to', async (t) => {
      const acme = await connect(t, server.url, { auth: { token: 'acme-all-0123456789' } });
      const elsewhere = await connect(t, server.url, { auth: { token: 'acme-all-0123456789' } });
      const globex = await connect(t, server.url, { auth: { token: 'globex-all-0123456789' } });
      await ok(acme, 'subscribe', 'votes');
      await ok(elsewhere, 'subscribe', 'not the votes');
      await ok(globex, 'subscribe', 'votes');
      // The id of the acknowledgement as it stands on the wire.
      const seen = new Promise((resolve) => acme.io.on('packet', (packet) => packet.data?.[0] === 'vote' && resolve(packet.id)));
      acme.once('vote', async (_, reply) => {
        const id = await seen;
        for (const forger of [globex, elsewhere]) forger.io._packet({ type: 3, nsp: '/', id, data: ['forged'] });
        for (const forger of [globex, elsewhere]) await ok(forger, 'presence', 'votes');
        reply('honest');
      });
      const { replies } = await broadcast(server, 'votes', '"?"', { token: 'acme-all-0123456789', name: 'vote', timeout: '3s', until: 1 });
      assert.deepEqual(replies.map(({ payload }) => payload), ['honest']);
      assert.ok((await seen) >= 2 ** 40);
    });

    test('one connection is of one org', async (t) => {
      const first = await connect(t, server.url, { auth: { token: 'acme-all-0123456789' } });
      await ok(first, 'subscribe', 'lobby');
      const closed = next(first, 'disconnect');
      first.disconnect();
      await closed;
      // The manager opens a connection of its own for the same socket with other credentials.
      first.auth = { token: 'globex-all-0123456789' };
      const again = next(first, 'connect');
      first.connect();
      await again;
      const heard = record(first, 'message');
      await publish(server, 'lobby', '"of acme"', { token: 'acme-all-0123456789' });
      await ok(first, 'presence', 'lobby');
      assert.deepEqual(heard, []);
    });

    test('who comes again on the same connection may do what he may then', async (t) => {
      const socket = open(t, server.url, { auth: { token: 'acme-all-0123456789' } });
      await next(socket, 'connect');
      await ok(socket, 'subscribe', [{ channel: 'secret' }, { channel: 'flagged', system: true }, { channel: '/odd' }]);
      const { engine } = socket.io;
      const heard = [];
      socket.onAny((...event) => heard.push(event));
      // Leaves the namespace, not the connection.
      const granted = new Promise((resolve) => socket.io.on('packet', (packet) => packet.type === 0 && resolve()));
      socket.io._packet({ type: 1, nsp: '/' });
      socket.io._packet({ type: 0, nsp: '/', data: { token: 'acme-listener-0123456789' } });
      await granted;
      assert.equal(socket.io.engine, engine);
      assert.equal((await problem(socket, 'subscribe', 'secret')).word, 'not-permitted');
      for (const options of [{}, { system: true }]) {
        for (const channel of ['secret', 'flagged', '/odd']) await publish(server, channel, '1', { token: 'acme-all-0123456789', ...options }).catch(() => {});
      }
      await ok(socket, 'subscribe', 'news.now');
      assert.deepEqual(heard, []);
    });
  });
}

test('without credentials a client is in the open org, if there is one', async (t) => {
  const server = await Server.start(t, `allow_demo = true\n${ACME}`);
  const socket = await connect(t, server.url);
  await ok(socket, 'subscribe', { channel: 'lobby', join: true });
  const { members } = await ok(socket, 'presence', 'lobby');
  assert.match(members[0].identity, /^anon-/);
  const wrong = await refused(t, server.url, { auth: { token: 'nobody-0123456789' } });
  assert.equal(wrong.data.status, 401);
  // Its org is not the other.
  const acme = await connect(t, server.url, { auth: { token: 'acme-all-0123456789' } });
  assert.equal((await ok(acme, 'presence', 'lobby')).occupancy, 0);
});

for (const transports of [['websocket'], ['polling']]) {
  test(`a connection ends with its credential, by ${transports}`, async (t) => {
    const server = await Server.start(t, ACME);
    const permissions = [{ channels: ['*'], allow: ALL }];
    const credential = token({ org: 'acme', sub: 'ann', permissions, seconds: 3 });
    const socket = await connect(t, server.url, { auth: { token: credential }, transports });
    await ok(socket, 'subscribe', { channel: 'lobby', join: true });
    const [reason] = await next(socket, 'disconnect');
    assert.ok(['transport close', 'transport error'].includes(reason), reason);
    const again = next(socket, 'connect_error');
    socket.connect();
    const [error] = await again;
    assert.match(error.message, /expired/);
    socket.auth = { token: token({ org: 'acme', sub: 'ann', permissions }) };
    const back = next(socket, 'connect');
    socket.connect();
    await back;
    await ok(socket, 'subscribe', 'lobby');
  });
}

test('publications are limited by connection, identity and org', async (t) => {
  for (const scope of ['connection', 'identity', 'org']) {
    const server = await Server.start(t, org('acme', { 'acme-all-0123456789': { allow: ALL } }, `[org.limits]\npublish_rate_per_${scope} = { per_second = 0.5, burst = 5 }`));
    const socket = await connect(t, server.url, { auth: { token: 'acme-all-0123456789', identity: 'ann' } });
    for (let n = 0; n < 5; n++) await ok(socket, n % 2 ? 'publish' : 'broadcast', 'a', n, { timeout: 1 });
    const found = await problem(socket, 'publish', 'a', 'one too many');
    assert.deepEqual([found.word, found.status], ['rate-limited', 429], scope);
    assert.match(found.detail, new RegExp(scope === 'org' ? 'in this org' : `by this ${scope}`));
    assert.equal((await problem(socket, 'broadcast', 'a', 'one too many')).word, 'rate-limited');
    const same = await connect(t, server.url, { auth: { token: 'acme-all-0123456789', identity: 'ann' } });
    const other = await connect(t, server.url, { auth: { token: 'acme-all-0123456789', identity: 'bob' } });
    const taken = async (socket) => (await (scope === 'org' ? problem : ok)(socket, 'publish', 'a', 1)) && true;
    await (scope === 'connection' ? ok : problem)(same, 'publish', 'a', 1);
    await taken(other);
    await server.stop();
  }
});

test('sessions are limited by org and identity', async (t) => {
  const server = await Server.start(t, org('acme', { 'acme-all-0123456789': { allow: ALL } }, '[org.limits]\nconnections_per_identity_max = 2\nconnections_max = 3'));
  const auth = (identity) => ({ auth: { token: 'acme-all-0123456789', identity } });
  const first = await connect(t, server.url, auth('ann'));
  await connect(t, server.url, auth('ann'));
  assert.match((await refused(t, server.url, auth('ann'))).message, /identity/);
  await connect(t, server.url, auth('bob'));
  assert.match((await refused(t, server.url, auth('cid'))).message, /org/);
  first.disconnect();
  await connectedSoon(t, server, auth('cid'));
});

/** The server needs a moment to see that a client has gone. */
async function connectedSoon(t, server, options) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await connect(t, server.url, options);
    } catch (error) {
      if (attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

test('the other dialects see the same org', async (t) => {
  const server = await Server.start(t, `${ACME}${GLOBEX}`);
  const credential = 'acme-all-0123456789';
  const socket = await connect(t, server.url, { auth: { token: credential, identity: 'ann' } });
  await ok(socket, 'subscribe', 'lobby');
  const heard = nextOnes(socket, 'message', 2);
  const v1 = await V1.open(t, server, { token: credential });
  await v1.ask('publish', { channel: 'lobby', payload: 1 });
  await publish(server, 'lobby', '2', { token: 'globex-all-0123456789' });
  await publish(server, 'lobby', '3', { token: credential });
  assert.deepEqual(await heard, [1, 3]);
  const { messages } = await poll(server, 'lobby', { token: 'globex-all-0123456789' });
  assert.deepEqual(messages.map(({ payload }) => payload), [2]);
});
