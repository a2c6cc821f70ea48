// Connections that break: nothing is lost, nothing doubled, and what cannot be kept is told.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect, ConnectTimeoutError, InterruptedError, QueueFullError } from 'antiphon';
import { Collector, next, OPEN, Proxy, Server, within } from './server.mjs';

const QUICK = { backoffMin: 5, backoffMax: 50 };

async function client(t, url, options = {}) {
  const exp = await connect({ url, ...QUICK, ...options });
  t.after(() => exp.close());
  return exp;
}

test('a hundred messages through a connection that keeps breaking arrive once, and in order', async (t) => {
  const server = await Server.start(t);
  const proxy = await Proxy.start(t, server);
  const [speaker, listener] = [await client(t, proxy.url), await client(t, proxy.url)];
  const heard = new Collector();
  await listener.getChannel('room').listen('count', heard.take);
  const published = [];
  for (let count = 0; count < 100; count += 1) {
    published.push(speaker.getChannel('room').publish('count', count));
    if (count % 10 === 5) proxy.cut();
    if (count % 10 === 9) await Promise.all(published);
  }
  const expected = Array.from({ length: 100 }, (_, count) => count);
  assert.deepEqual(await heard.count(100, 'the hundred'), expected);
  const { messages } = await speaker.getChannel('room').history({ limit: 1000 });
  assert.deepEqual(messages.map(({ payload }) => payload), expected);
  assert.ok(proxy.count > 10);
});

test('a server that crashes and comes back is found again, with what was said meanwhile', async (t) => {
  const server = await Server.start(t);
  const ada = await client(t, server.url);
  const heard = new Collector();
  const channels = ['a', 'b', 'c'].map((name) => ada.getChannel(name));
  for (const channel of channels) await channel.listen('message', (payload) => heard.take(payload));
  await server.post('a', 1);
  await heard.count(1);
  const offline = next(ada, 'offline');
  await server.kill();
  assert.equal((await offline).type, 'unreachable');
  const waiting = channels[1].publish('message', 'while it was away');
  const online = next(ada, 'online');
  await server.restart();
  for (const name of ['a', 'b', 'c']) await server.post(name, name);
  await online;
  assert.equal((await waiting).stored, true);
  await heard.count(5);
  assert.deepEqual([...heard.all].sort(), [1, 'a', 'b', 'c', 'while it was away']);
  const channel = ada.getChannel('b');
  await channel.listen('ask', (_, respond) => void respond('still here'));
  assert.deepEqual(await channel.broadcast('ask', null, 60_000, { until: 1 }), ['still here']);
});

test('a broadcast that a break interrupts is rejected, with what was responded', async (t) => {
  const server = await Server.start(t);
  const proxy = await Proxy.start(t, server);
  const [ada, bo] = [await client(t, proxy.url), await client(t, server.url)];
  const asked = new Collector();
  await bo.getChannel('room').listen('ask', async (_, respond) => {
    await respond('early');
    asked.take(1);
  });
  const responded = new Collector();
  await ada.getChannel('room').listen('seen', responded.take);
  const collecting = ada.getChannel('room').broadcast('ask', null, 60_000);
  collecting.catch(() => {});
  await asked.count(1);
  // What comes after the response on the same connection has come, so the response has.
  await server.post('room', 1, '?name=seen');
  await responded.count(1);
  proxy.cut();
  const error = await within(collecting, 'the rejection').catch((error) => error);
  assert.ok(error instanceof InterruptedError);
  assert.deepEqual([error.type, error.responses], ['interrupted', ['early']]);
  await ada.whenOnline();
});

test('a gap is told', async (t) => {
  const server = await Server.start(t, `${OPEN}[[org.rule]]\nchannels = "short"\npersist = false\nhistory_size = 2\n`);
  const proxy = await Proxy.start(t, server);
  const ada = await client(t, proxy.url);
  const heard = new Collector();
  await ada.getChannel('short').listen('message', heard.take);
  await server.post('short', 'before');
  await heard.count(1);
  proxy.shut();
  for (let count = 0; count < 300; count += 1) await server.post('short', count);
  const gap = next(ada, 'gap');
  proxy.open();
  const { channel, since, resumed } = await gap;
  assert.equal(channel, 'short');
  assert.ok(BigInt(resumed) > BigInt(since));
  const all = await heard.until((all) => all.at(-1) === 299, 'what is kept');
  const kept = all.slice(1);
  assert.deepEqual(kept, Array.from({ length: kept.length }, (_, at) => 300 - kept.length + at));
});

test('what is said while offline waits, up to the limit', async (t) => {
  const server = await Server.start(t);
  const proxy = await Proxy.start(t, server);
  const ada = await client(t, proxy.url, { queueMax: 3 });
  const offline = next(ada, 'offline');
  proxy.shut();
  await offline;
  const channel = ada.getChannel('room');
  const given = new AbortController();
  const abandoned = channel.publish('x', 'abandoned', { signal: given.signal });
  const waiting = [1, 2].map((payload) => channel.publish('x', payload));
  await assert.rejects(channel.publish('x', 'too much'), QueueFullError);
  given.abort(new Error('enough'));
  await assert.rejects(abandoned, /enough/);
  waiting.push(channel.publish('x', 3));
  assert.equal(ada.state, 'offline');
  proxy.open();
  await Promise.all(waiting);
  assert.deepEqual((await channel.history()).messages.map(({ payload }) => payload), [1, 2, 3]);
});

test('listeners of before and of during the break hear what comes after it', async (t) => {
  const server = await Server.start(t);
  const proxy = await Proxy.start(t, server);
  const ada = await client(t, proxy.url);
  const [before, during] = [new Collector(), new Collector()];
  const channel = ada.getChannel('room');
  await channel.listen('x', before.take);
  const cancelled = await ada.getChannel('other').listen('x', () => assert.fail('it was cancelled'));
  const offline = next(ada, 'offline');
  proxy.shut();
  await offline;
  cancelled.cancel();
  const listening = [channel.listen('x', during.take), ada.getChannel('third').listen('x', during.take)];
  proxy.open();
  await Promise.all(listening);
  for (const name of ['other', 'room', 'third']) await server.post(name, name, '?name=x');
  assert.deepEqual(await before.count(1), ['room']);
  assert.deepEqual(await during.count(2), ['room', 'third']);
});

test('a server that is not there is waited for, for as long as one says', async (t) => {
  const server = await Server.start(t);
  const proxy = await Proxy.start(t, server);
  proxy.shut();
  const started = connect({ url: proxy.url, ...QUICK, connectTimeout: 200 });
  const error = await started.catch((error) => error);
  assert.ok(error instanceof ConnectTimeoutError);
  assert.equal(error.cause.type, 'unreachable');
  await assert.rejects(connect({ url: proxy.url, ...QUICK, signal: AbortSignal.timeout(50) }), { name: 'TimeoutError' });
  const patient = connect({ url: proxy.url, ...QUICK, connectTimeout: Infinity });
  setTimeout(() => proxy.open(), 100);
  const exp = await within(patient, 'the connection');
  await exp.close();
});
