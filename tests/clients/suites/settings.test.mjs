// What the server's settings change for clients: parser, compression, paths, transports, versions, cookies, origins.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CLIENTS, SIO2, SIO4, Sockets, transport, WAYS } from '../harness/clients.mjs';
import { ask, next, nextOnes } from '../harness/deadline.mjs';
import { REFERENCE, TestServer } from '../harness/server.mjs';

const require = createRequire(import.meta.url);

async function start(t, settings) {
  const server = await TestServer.start(settings);
  t.after(() => server.kill());
  return server;
}

test('the MessagePack parser', async (t) => {
  const parser = require('socket.io-msgpack-parser');
  const server = await start(t, { msgpack: true });
  for (const { transports, ends } of WAYS) {
    const sockets = new Sockets(t);
    const socket = await sockets.connect(SIO4, server.url, { transports, parser });
    assert.equal(transport(socket), ends);
    const bytes = Buffer.from([0, 1, 254, 255]);
    const values = [1, -1, 1.5, 2 ** 40, null, true, 'Grüße 🎶', [1, [2]], { deep: { bytes } }, bytes, Buffer.alloc(70_000, 1)];
    const echoed = next(socket, 'echo');
    socket.emit('echo', ...values);
    assert.deepEqual(await echoed, values);
    assert.deepEqual(await ask(socket, 'answer', ...values), values);
    assert.deepEqual(await ask(socket, 'measure', bytes), [4]);

    const answered = next(socket, 'answered');
    socket.once('question', (value, ack) => ack(value, bytes));
    socket.emit('ask me', 5000, { bytes });
    assert.deepEqual(await answered, [null, { bytes }, bytes]);

    const numbers = Array.from({ length: 1000 }, (_, i) => i);
    const counted = nextOnes(socket, 'number', numbers.length);
    socket.emit('count', numbers.length);
    assert.deepEqual(await counted, numbers);

    const other = await sockets.direct(SIO4, `${server.url}/custom`, { parser, auth: { token: 'x' } });
    await ask(other, 'join', 'room');
    const another = await sockets.direct(SIO4, `${server.url}/custom`, { parser });
    const said = next(other, 'said');
    another.emit('say', 'room', { bytes }, 'text');
    assert.deepEqual(await said, [{ bytes }, 'text']);

    const unknown = sockets.open(SIO4, `${server.url}/unknown`, { transports, parser });
    assert.equal((await next(unknown, 'connect_error'))[0].message, 'Invalid namespace');
    const refused = sockets.open(SIO4, `${server.url}/members`, { transports, parser, auth: { token: 'wrong' } });
    const [{ message, data }] = await next(refused, 'connect_error');
    assert.deepEqual([message, data], ['not a member', { code: 401, hint: 'ask for a token' }]);
  }
});

test('compressed frames', async (t) => {
  const server = await start(t, { per_message_deflate: true });
  for (const client of CLIENTS) {
    const socket = await new Sockets(t).direct(client, server.url, { perMessageDeflate: { threshold: 1024 } });
    const values = ['short', 'long and repeated '.repeat(5000), Buffer.alloc(50_000, 3), '🎶'.repeat(3000)];
    const echoed = next(socket, 'echo');
    socket.emit('echo', ...values);
    assert.deepEqual(await echoed, values);
    // A text or an object, by the version of what is beneath.
    assert.match(JSON.stringify(socket.io.engine.transport.ws.extensions), /permessage-deflate/);
  }
});

test('compressed polls', async (t) => {
  const server = await start(t, {});
  const url = `${server.url}/socket.io/?EIO=4&transport=polling`;
  const open = await fetch(url, { headers: { 'accept-encoding': 'gzip' } });
  assert.equal(open.headers.get('content-encoding'), null, 'what is short is not worth it');
  const { sid } = JSON.parse((await open.text()).slice(1));
  await (await fetch(`${url}&sid=${sid}`, { method: 'POST', body: '40' })).text();
  await (await fetch(`${url}&sid=${sid}`)).text();
  const long = 'long and repeated '.repeat(500);
  await (await fetch(`${url}&sid=${sid}`, { method: 'POST', body: `42["echo","${long}"]` })).text();
  const poll = await fetch(`${url}&sid=${sid}`, { headers: { 'accept-encoding': 'gzip' } });
  assert.equal(poll.headers.get('content-encoding'), 'gzip');
  assert.equal(await poll.text(), `42["echo","${long}"]`);
});

test('another path', async (t) => {
  const server = await start(t, { path: '/live/chat/' });
  for (const client of CLIENTS) {
    const options = { path: '/live/chat/', transports: ['polling', 'websocket'] };
    const socket = await new Sockets(t).connect(client, server.url, options);
    assert.deepEqual(await ask(socket, 'answer', 1), [1]);
  }
  const elsewhere = new Sockets(t).open(SIO4, server.url, {});
  await next(elsewhere, 'connect_error');
});

test('clients of the older revision are refused where it is off', async (t) => {
  const server = await start(t, { allow_eio3: false });
  for (const client of CLIENTS) {
    for (const transports of [['polling'], ['websocket']]) {
      const socket = new Sockets(t).open(client, server.url, { transports });
      await next(socket, client.revision === 4 ? 'connect' : 'connect_error');
    }
  }
  const answer = await fetch(`${server.url}/socket.io/?EIO=3&transport=polling`);
  assert.equal(answer.status, 400);
  assert.deepEqual(await answer.json(), { code: 5, message: 'Unsupported protocol version' });
});

describe('one transport alone', () => {
  for (const [allowed, other] of [
    ['polling', 'websocket'],
    ['websocket', 'polling'],
  ]) {
    test(allowed, async (t) => {
      const server = await start(t, { transports: [allowed] });
      for (const client of [SIO2, SIO4]) {
        const sockets = new Sockets(t);
        const socket = await sockets.connect(client, server.url, { transports: [allowed] });
        assert.deepEqual(await ask(socket, 'answer', 1), [1]);
        const refused = sockets.open(client, server.url, { transports: [other] });
        await next(refused, 'connect_error');
      }
      if (allowed === 'websocket') return;
      // There is nothing to upgrade to, and the client is told so.
      const socket = new Sockets(t).open(SIO4, server.url, {});
      await next(socket, 'connect');
      assert.deepEqual(await ask(socket, 'answer', 1), [1]);
      assert.equal(transport(socket), 'polling');
    });
  }
});

test('the client bundle is served from a file', async (t) => {
  const file = fileURLToPath(new URL('../node_modules/sio4/dist/socket.io.min.js', import.meta.url));
  const server = await start(t, { serve_client: file });
  const answer = await fetch(`${server.url}/socket.io/socket.io.js`);
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-type'), /javascript/);
  const served = await answer.text();
  assert.match(served, /Socket\.IO v4\.8/);
  // The reference has a file of its own.
  if (!REFERENCE) assert.equal(served, await readFile(file, 'utf8'));
  const again = await fetch(`${server.url}/socket.io/socket.io.js`, {
    headers: { 'if-none-match': answer.headers.get('etag') },
  });
  assert.equal(again.status, 304);
});

test('a cookie, and the origins that may have it', async (t) => {
  const origin = 'https://page.example';
  const server = await start(t, { cookie: 'io', cors_origin: origin, cors_credentials: true });
  const url = `${server.url}/socket.io/?EIO=4&transport=polling`;
  const open = await fetch(url, { headers: { origin } });
  const { sid } = JSON.parse((await open.text()).slice(1));
  const [cookie, ...attributes] = open.headers.get('set-cookie').split('; ');
  assert.equal(cookie, `io=${sid}`);
  assert.ok(attributes.includes('Path=/') && attributes.includes('HttpOnly'), attributes.join('; '));
  assert.equal(open.headers.get('access-control-allow-origin'), origin);
  assert.equal(open.headers.get('access-control-allow-credentials'), 'true');
  const preflight = await fetch(url, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-mine' },
  });
  assert.equal(preflight.status, 204);
  assert.match(preflight.headers.get('access-control-allow-methods'), /POST/);
  assert.equal(preflight.headers.get('access-control-allow-headers'), 'x-mine');
  const elsewhere = await fetch(url, { headers: { origin: 'https://else.example' } });
  // None, or one that is not theirs.
  assert.ok([null, origin].includes(elsewhere.headers.get('access-control-allow-origin')));
});

test('what is too large ends the connection', async (t) => {
  const server = await start(t, { max_payload_bytes: 10_000 });
  for (const client of CLIENTS) {
    for (const transports of [['polling'], ['websocket']]) {
      const socket = await new Sockets(t).connect(client, server.url, { transports });
      assert.deepEqual((await ask(socket, 'answer', 'x'.repeat(9000)))[0].length, 9000);
      const gone = next(socket, 'disconnect');
      socket.emit('echo', 'x'.repeat(20_000));
      await gone;
    }
  }
});
