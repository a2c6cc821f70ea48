// Channels on a connection that stays: listening, responding, publishing, history, errors.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { Antiphon, AntiphonError, ClosedError, connect, NobodyCollectsError, NotPermittedError, TooLargeError, UnauthorizedError } from 'antiphon';
import { Collector, next, OPEN, Server, within } from './server.mjs';

const KEYS = `
[[org]]
name = "acme"
[[org.key]]
key = "may-do-all-of-it"
allow = ["publish", "subscribe", "history", "presence"]
identity = "ada"
[[org.key]]
key = "may-only-listen"
allow = ["subscribe"]
channels = ["public.*"]
`;

/** A server and as many clients, closed when the test is over. */
async function clients(t, count, config = OPEN, options = {}) {
  const server = await Server.start(t, config);
  const all = await Promise.all(Array.from({ length: count }, () => connect({ url: server.url, ...options })));
  t.after(() => Promise.all(all.map((exp) => exp.close())));
  return [server, ...all];
}

test('every listener may respond, on every client, as often as it likes', async (t) => {
  const [, ada, bo] = await clients(t, 2);
  for (const exp of [ada, bo]) {
    for (const response of ['one', 'two']) await exp.getChannel('room').listen('ask', (_, respond) => void respond(response));
  }
  await bo.getChannel('room').listen('ask', async (payload, respond) => {
    await respond(payload);
    await respond();
  });
  await bo.getChannel('room').listen('other', (_, respond) => void respond('never'));
  const responses = await ada.getChannel('room').broadcast('ask', { n: 1 }, 1000);
  assert.equal(responses.length, 6);
  assert.deepEqual(responses.map((response) => JSON.stringify(response)).sort(), ['"one"', '"one"', '"two"', '"two"', 'null', '{"n":1}']);
});

test('a broadcast ends with as many responses as are wanted', async (t) => {
  const [, ada, bo] = await clients(t, 2);
  await bo.getChannel('room').listen('ask', (_, respond) => void respond('here'));
  assert.deepEqual(await within(ada.getChannel('room').broadcast('ask', null, 60_000, { until: 1 }), 'the response'), ['here']);
});

test('who listens and then broadcasts hears itself, without waiting', async (t) => {
  const [, ada] = await clients(t, 1);
  const channel = ada.getChannel('room');
  channel.listen('ask', (_, respond) => respond('myself'));
  assert.deepEqual(await channel.broadcast('ask', null, 60_000, { until: 1 }), ['myself']);
});

test('a fling is a broadcast of that name', async (t) => {
  const [, ada, bo] = await clients(t, 2);
  await bo.getChannel('room').listen('fling', (payload, respond) => void respond(payload));
  assert.deepEqual(await ada.getChannel('room').fling({ uuid: 'x' }, 30_000, { until: 1 }), [{ uuid: 'x' }]);
});

test('a listener gets the whole message, and no response is sent to what is none', async (t) => {
  const [server, ada] = await clients(t, 1, OPEN, { identity: 'ada' });
  const heard = new Collector();
  await ada.getChannel('room').listen('note', (payload, respond, message) => heard.take([payload, message, respond('to nobody')]));
  await ada.getChannel('room').publish('note', { text: 'hi' }, { meta: { lang: 'en' } });
  const [[payload, message, responded]] = await heard.count(1);
  assert.deepEqual(payload, { text: 'hi' });
  const { position, ...rest } = message;
  assert.match(position, /^\d+$/);
  assert.deepEqual(rest, {
    channel: 'room', system: false, consumer: false, name: 'note', kind: 'message', payload: { text: 'hi' }, meta: { lang: 'en' }, publisher: 'ada', expectsReplies: false,
  });
  await assert.rejects(responded, NobodyCollectsError);
  await server.post('room', 'over HTTP', '?name=note');
  assert.equal((await heard.count(2))[1][0], 'over HTTP');
});

test('bytes and every script arrive as they were sent', async (t) => {
  const [, ada, bo] = await clients(t, 2);
  const name = 'Grüße 世界 🎶 "\\\u2028';
  const payloads = [Uint8Array.from({ length: 256 }, (_, byte) => byte), name, { [name]: [name] }, '', 0, false, null, [[]], 'a\u0000b'];
  await bo.getChannel(name).listen(name, (payload, respond) => void respond(payload));
  for (const payload of payloads) {
    assert.deepEqual(await ada.getChannel(name).broadcast(name, payload, 60_000, { until: 1 }), [payload]);
  }
});

test('a channel with other flags is another channel', async (t) => {
  const [, ada] = await clients(t, 1);
  const heard = new Collector();
  await ada.getChannel('room', { consumer: true }).listen('x', (payload) => heard.take(payload));
  await ada.getChannel('room').publish('x', 'plain');
  await ada.getChannel('room', { consumer: true }).publish('x', 'consumer');
  assert.deepEqual(await heard.count(1), ['consumer']);
  await assert.rejects(ada.getChannel('room', { system: true }).publish('x', 1), NotPermittedError);
});

test('a cancelled listener is not called again, and the others are', async (t) => {
  const [, ada] = await clients(t, 1);
  const channel = ada.getChannel('room');
  const [first, second] = [new Collector(), new Collector()];
  const listener = await channel.listen('x', first.take);
  await channel.listen('x', second.take);
  await channel.publish('x', 1);
  await second.count(1);
  listener.cancel();
  assert.equal(listener.isActive, false);
  await channel.publish('x', 2);
  assert.deepEqual(await second.count(2), [1, 2]);
  assert.deepEqual(first.all, [1]);
});

test('a listener that is cancelled by another is not called with the same message, and one that begins is not either', async (t) => {
  const [, ada] = await clients(t, 1);
  const channel = ada.getChannel('room');
  const heard = new Collector();
  await channel.listen('x', (payload) => {
    heard.take(['first', payload]);
    cancelled.cancel();
    if (payload === 1) channel.listen('x', (payload) => heard.take(['third', payload]));
  });
  const cancelled = await channel.listen('x', () => heard.take(['second']));
  await channel.publish('x', 1);
  await channel.publish('x', 2);
  assert.deepEqual(await heard.count(3), [['first', 1], ['first', 2], ['third', 2]]);
});

test('the last cancel ends the subscription', async (t) => {
  const [server, ada] = await clients(t, 1);
  const deliveries = async () => Number(/^antiphon_deliveries_total (\d+)/m.exec(await (await fetch(`${server.url}/metrics`)).text())[1]);
  const [channel, other] = [ada.getChannel('room'), ada.getChannel('other')];
  const heard = new Collector();
  other.listen('x', heard.take);
  const listening = [channel.listen('x', () => {}), channel.listenAll(() => {})];
  await Promise.all(listening);
  listening[0].cancel();
  for (const each of [channel, other]) await each.publish('x', 1);
  await heard.count(1);
  assert.equal(await deliveries(), 2);
  listening[1].cancel();
  // Later on the same connection: what the server would still have sent on the first channel came before it.
  for (const each of [channel, other]) await each.publish('x', 2);
  await heard.count(2);
  assert.equal(await deliveries(), 3);
});

test('a listener that throws, or rejects, keeps nobody from hearing', async (t) => {
  const [, ada] = await clients(t, 1);
  const [heard, errors] = [new Collector(), new Collector()];
  ada.on('error', errors.take);
  const channel = ada.getChannel('room');
  channel.listen('x', () => {
    throw new Error('first');
  });
  channel.listen('x', () => Promise.reject(new Error('second')));
  await channel.listen('x', heard.take);
  await channel.publish('x', 1);
  assert.deepEqual(await heard.count(1), [1]);
  const all = await errors.count(2);
  assert.deepEqual(all.map(({ type, cause, channel }) => [type, cause.message, channel.name]), [['listener', 'first', 'room'], ['listener', 'second', 'room']]);
});

test('history and presence answer', async (t) => {
  const [, ada] = await clients(t, 1);
  const channel = ada.getChannel('room');
  const { position, stored } = await channel.publish('x', 1);
  assert.equal(stored, true);
  for (const payload of [2, new Uint8Array([3])]) await channel.publish('x', payload);
  const { messages, gap } = await channel.history({ since: position, limit: 10 });
  assert.deepEqual([messages.map(({ payload }) => payload), gap], [[2, new Uint8Array([3])], false]);
  assert.deepEqual((await channel.history({ limit: 1 })).messages.length, 1);
  assert.deepEqual(await channel.presence(), { occupancy: 0, members: [] });
});

test('the same key publishes once', async (t) => {
  const [, ada] = await clients(t, 1);
  const channel = ada.getChannel('room');
  const [first, second] = [await channel.publish('x', 1, { idempotencyKey: 'k' }), await channel.publish('x', 2, { idempotencyKey: 'k' })];
  assert.deepEqual(first, second);
  assert.equal((await channel.history()).messages.length, 1);
});

test('refusals are typed', async (t) => {
  const [server, ada] = await clients(t, 1, KEYS, { token: 'may-do-all-of-it' });
  assert.equal(ada.identity, 'ada');
  const guest = await connect({ url: server.url, token: 'may-only-listen', identity: 'guest' });
  t.after(() => guest.close());
  const told = new Collector();
  guest.on('error', told.take);

  const denied = { name: 'NotPermittedError', type: 'not-permitted', status: 403, permission: 'publish' };
  const publishing = guest.getChannel('public.news').publish('x', 1);
  await assert.rejects(publishing, { ...denied, channel: { name: 'public.news', system: false, consumer: false } });
  await assert.rejects(guest.getChannel('public.news').broadcast('x', 1), denied);

  const listening = guest.getChannel('private').listen('x', () => {});
  await assert.rejects(listening, { ...denied, permission: 'subscribe' });
  assert.deepEqual((await told.count(1)).map(({ type, channel }) => [type, channel.name]), [['not-permitted', 'private']]);

  await ada.getChannel('public.news').publish('x', 'fine');
  await assert.rejects(ada.getChannel('room').publish('', 1), { type: 'invalid-parameter', parameter: 'name' });
  await assert.rejects(ada.getChannel('room').publish('x', 'x'.repeat(1024 * 1024 + 1)), TooLargeError);
  await assert.rejects(ada.getChannel('room').publish('x', 'x'.repeat(2 * 1024 * 1024)), TooLargeError);
  await assert.rejects(ada.getChannel('room').broadcast('x', 1, Number.NaN), { type: 'invalid-parameter', parameter: 'timeout' });
  assert.equal(ada.state, 'online');
});

test('a credential that is not valid is refused at once, and not shown', async (t) => {
  const server = await Server.start(t, KEYS);
  for (const token of ['nobody-has-this-key', undefined]) {
    const error = await connect({ url: server.url, token }).catch((error) => error);
    assert.ok(error instanceof UnauthorizedError);
    assert.equal(error.status, 401);
    const { inspect } = await import('node:util');
    assert.ok(!inspect(error, { depth: 10 }).includes('nobody-has-this-key'));
  }
});

test('a token function is asked once, and once more when its token is refused', async (t) => {
  const server = await Server.start(t, KEYS);
  const given = ['revoked-long-ago', { token: 'may-do-all-of-it', expires: Date.now() + 3_600_000 }];
  const exp = await connect({ url: server.url, token: async () => given.shift(), backoffMin: 1 });
  t.after(() => exp.close());
  assert.deepEqual([exp.identity, given], ['ada', []]);
  await assert.rejects(connect({ url: server.url, token: () => 'always-refused', backoffMin: 1 }), UnauthorizedError);
});

test('a signal gives up', async (t) => {
  const [, ada] = await clients(t, 1);
  const channel = ada.getChannel('room');
  const given = new AbortController();
  const collecting = channel.broadcast('x', 1, 60_000, { signal: given.signal });
  given.abort(new Error('enough'));
  await assert.rejects(collecting, /enough/);
  await assert.rejects(channel.publish('x', 1, { signal: given.signal }), /enough/);
  await assert.rejects(channel.listen('x', () => {}, { signal: given.signal }), /enough/);
  const heard = new Collector();
  const later = new AbortController();
  const listener = await channel.listen('x', heard.take, { signal: later.signal });
  later.abort();
  assert.equal(listener.isActive, false);
});

test('closing ends everything', async (t) => {
  const [, ada] = await clients(t, 1);
  const channel = ada.getChannel('room');
  const listener = await channel.listen('x', () => {});
  const collecting = channel.broadcast('x', 1, 60_000);
  const closed = next(ada, 'close');
  const pending = channel.listen('y', () => {});
  await Promise.all([ada.close(), assert.rejects(collecting, ClosedError)]);
  assert.equal(await closed, undefined);
  assert.deepEqual([ada.state, listener.isActive], ['closed', false]);
  await pending.catch(() => {});
  await assert.rejects(channel.publish('x', 1), ClosedError);
  await assert.rejects(channel.listen('x', () => {}), ClosedError);
  await assert.rejects(ada.whenOnline(), ClosedError);
  await ada.close();
});

test('the CommonJS build is whole', async (t) => {
  const server = await Server.start(t);
  const common = createRequire(import.meta.url)('antiphon');
  assert.deepEqual(Object.keys(common).sort(), Object.keys(await import('antiphon')).sort());
  const exp = await common.connect({ url: server.url });
  t.after(() => exp.close());
  await exp.getChannel('room').publish('x', 1);
  assert.throws(() => new common.Antiphon({ url: '' }), common.AntiphonError);
  assert.throws(() => new Antiphon({ url: '' }), AntiphonError);
});
