// What the configuration says about requests: the path, the client's file, pages of other origins, cookies, compression, workers.

import assert from 'node:assert/strict';
import http from 'node:http';
import http2 from 'node:http2';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { gunzipSync, inflateSync } from 'node:zlib';
import { next, nextOnes, within } from '../../clients/harness/deadline.mjs';
import { Polling } from '../../clients/harness/wire.mjs';
import { publish } from '../harness/others.mjs';
import { Server } from '../harness/server.mjs';
import { connect, connect2, ok, refused } from '../harness/sockets.mjs';
import { ALL, org } from '../harness/tokens.mjs';

const OPEN = '/socket.io/?EIO=4&transport=polling';

/** A request as no browser's rules shape it: the response with its body. */
async function request(server, target, { method = 'GET', headers = {}, body, agent } = {}) {
  const { hostname, port } = new URL(server.url);
  const request = http.request({ hostname, port, path: target, method, headers, agent });
  request.end(body);
  const [response] = await within(once(request, 'response'), `answer to ${method} ${target}`);
  const chunks = [];
  for await (const chunk of response) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  return { status: response.statusCode, headers: response.headers, bytes, text: bytes.toString() };
}

describe('the client\'s file', () => {
  test('is not there unless it is said where', async (t) => {
    const server = await Server.start(t);
    assert.equal((await request(server, '/socket.io/socket.io.js')).status, 404);
  });

  test('is somewhere else', async (t) => {
    const server = await Server.start(t, '[socketio]\nclient_url = "https://cdn.example/4.8.1/"\n');
    const { status, headers } = await request(server, '/socket.io/socket.io.min.js');
    assert.deepEqual([status, headers.location], [302, 'https://cdn.example/4.8.1/socket.io.min.js']);
    assert.equal((await request(server, '/socket.io/socket.io.css')).status, 400);
  });

  test('is a file, or one of a directory', async (t) => {
    const directory = await mkdtemp(path.join(tmpdir(), 'antiphon-standalone-'));
    t.after(() => rm(directory, { recursive: true, force: true }));
    const files = { 'socket.io.js': 'the client', 'socket.io.min.js.map': '{"its":"map"}', 'secret.txt': 'not the client' };
    for (const [name, text] of Object.entries(files)) await writeFile(path.join(directory, name), text);
    const config = (where) => `[socketio]\nclient_url = "https://not.this/"\nclient_files = ${JSON.stringify(where)}\n`;

    let server = await Server.start(t, config(directory));
    const { status, headers, text } = await request(server, '/socket.io/socket.io.js');
    assert.deepEqual([status, headers['content-type'], text], [200, 'application/javascript', 'the client']);
    const again = await request(server, '/socket.io/socket.io.js', { headers: { 'If-None-Match': headers.etag } });
    assert.deepEqual([again.status, again.text], [304, '']);
    assert.equal((await request(server, '/socket.io/socket.io.min.js.map')).headers['content-type'], 'application/json');
    assert.equal((await request(server, '/socket.io/socket.io.msgpack.min.js')).status, 404);
    for (const name of ['secret.txt', '../antiphon.toml', '%2e%2e/antiphon.toml', 'socket.io.js/..']) {
      const { status, text } = await request(server, `/socket.io/${name}`);
      assert.ok(status >= 400 && !text.includes('not the client'), name);
    }

    server = await Server.start(t, config(path.join(directory, 'socket.io.js')));
    assert.equal((await request(server, '/socket.io/socket.io.js')).text, 'the client');
    assert.equal((await request(server, '/socket.io/socket.io.min.js')).text, 'the client');
  });
});

test('the path is a setting', async (t) => {
  for (const own of ['/live/', '/deep/er/live']) {
    const server = await Server.start(t, `[socketio]\npath = "${own}"\n`);
    for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
      const socket = await connect(t, server.url, { path: own, transports });
      await ok(socket, 'subscribe', 'room');
    }
    const old = await connect2(t, server.url, { path: own, transports: ['polling'] });
    await ok(old, 'subscribe', 'room');
    assert.equal((await request(server, OPEN)).status, 404);
    await publish(server, 'room', '1');
  }
  const off = await Server.start(t, '[socketio]\nenabled = false\n');
  assert.equal((await request(off, OPEN)).status, 404);
});

describe('pages of other origins', () => {
  const origin = 'https://app.example.com';
  const config = `[http]\ncors_origins = ["${origin}"]\n` +
    org('acme', { 'acme-all-0123456789': { allow: ALL } }, 'allowed_origins = ["https://acme.example.com"]') +
    org('globex', { 'globex-all-0123456789': { allow: ALL } }, 'allowed_origins = ["https://globex.example.com"]');

  test('are told what they may', async (t) => {
    const server = await Server.start(t, config);
    for (const allowed of [origin, 'https://acme.example.com', 'https://globex.example.com']) {
      const preflight = await request(server, OPEN, {
        method: 'OPTIONS',
        headers: { Origin: allowed, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization' },
      });
      assert.equal(preflight.status, 204);
      assert.equal(preflight.headers['access-control-allow-origin'], allowed);
      assert.equal(preflight.headers['access-control-allow-headers'], 'authorization');
      assert.match(preflight.headers['access-control-allow-methods'], /POST/);
      assert.match(preflight.headers.vary, /Origin/);
      // The SDKs of the EXP network, which share the path, ask for it.
      assert.equal(preflight.headers['access-control-allow-credentials'], 'true');
      const answer = await request(server, OPEN, { headers: { Origin: allowed } });
      assert.deepEqual([answer.status, answer.headers['access-control-allow-origin']], [200, allowed]);
    }
    for (const other of ['https://evil.example', 'null', 'https://acme.example.com.evil.example', 'http://acme.example.com']) {
      const preflight = await request(server, OPEN, { method: 'OPTIONS', headers: { Origin: other } });
      assert.equal(preflight.headers['access-control-allow-origin'], undefined, other);
      const answer = await request(server, OPEN, { headers: { Origin: other } });
      assert.deepEqual([answer.status, answer.headers['access-control-allow-origin']], [403, undefined], other);
      assert.match(answer.text, /origin/);
    }
    // The server's own pages need nothing.
    assert.equal((await request(server, OPEN, { headers: { Origin: server.url } })).status, 200);
  });

  test('send no credentials where nobody asks for it', async (t) => {
    const server = await Server.start(t, `[exp]\nenabled = false\n${config}`);
    const { headers } = await request(server, OPEN, { method: 'OPTIONS', headers: { Origin: origin } });
    assert.deepEqual([headers['access-control-allow-origin'], headers['access-control-allow-credentials']], [origin, undefined]);
  });

  test('are in the org that allows them', async (t) => {
    const server = await Server.start(t, config);
    const as = (key, origin) => ({ auth: { token: `${key}-all-0123456789` }, extraHeaders: { Origin: origin } });
    for (const transports of [['polling'], ['websocket']]) {
      await connect(t, server.url, { transports, ...as('acme', 'https://acme.example.com') });
      await connect(t, server.url, { transports, ...as('acme', origin) });
      const error = await refused(t, server.url, { transports, ...as('acme', 'https://globex.example.com') });
      assert.equal(error.data.type, 'urn:antiphon:problem:origin-refused');
      assert.match(error.message, /https:\/\/globex\.example\.com/);
    }
    const socket = await refused(t, server.url, as('acme', 'https://evil.example'));
    assert.match(String(socket.description?.message ?? socket.message), /403|websocket error/);
  });

  test('are told more where it is set', async (t) => {
    const server = await Server.start(t, `[http]\ncors_origins = ["*"]\n[socketio.cors]\ncredentials = true\nallowed_headers = ["X-One"]\n` +
      'exposed_headers = ["X-Two", "X-Three"]\nmax_age = "10m"\noptions_success_status = 200\n');
    const { status, headers } = await request(server, OPEN, { method: 'OPTIONS', headers: { Origin: origin } });
    assert.equal(status, 200);
    assert.equal(headers['access-control-allow-origin'], origin);
    assert.equal(headers['access-control-allow-credentials'], 'true');
    assert.equal(headers['access-control-allow-headers'], 'X-One');
    assert.equal(headers['access-control-max-age'], '600');
    const answer = await request(server, OPEN, { headers: { Origin: origin } });
    assert.equal(answer.headers['access-control-expose-headers'], 'X-Two,X-Three');
  });
});

test('an open server on loopback answers to local names only', async (t) => {
  const server = await Server.start(t);
  for (const [host, expected] of [['evil.example', 403], ['localhost', 200], ['127.0.0.1:1', 200], ['a.localhost', 200]]) {
    const { status, text } = await request(server, OPEN, { headers: { Host: host } });
    assert.equal(status, expected, host);
    if (expected === 403) assert.match(text, /use localhost/);
  }
  // By a page whose name was made to lead here, its origin is the server's own.
  const { status } = await request(server, OPEN, { headers: { Host: 'evil.example', Origin: 'http://evil.example' } });
  assert.equal(status, 403);
  const error = await refused(t, server.url, { extraHeaders: { Host: 'evil.example' } });
  assert.match(error.message, /websocket error/);
  const closed = await Server.start(t, org('acme', { 'acme-all-0123456789': { allow: ALL } }));
  assert.equal((await request(closed, OPEN, { headers: { Host: 'api.example.com' } })).status, 200);
});

test('HTTP/2 names the host in another way', async (t) => {
  const server = await Server.start(t);
  for (const [authority, expected] of [[server.host, 200], ['evil.example', 403]]) {
    const session = http2.connect(server.url);
    const stream = session.request({ ':path': OPEN, ':authority': authority });
    const [headers] = await within(once(stream, 'response'), 'answer by HTTP/2');
    stream.resume();
    await once(stream, 'end');
    session.close();
    assert.equal(headers[':status'], expected, authority);
  }
});

test('a cookie keeps a client on one server', async (t) => {
  const none = await Server.start(t);
  assert.equal((await request(none, OPEN)).headers['set-cookie'], undefined);
  const server = await Server.start(t, '[socketio.cookie]\nname = "io"\nmax_age = "1h"\npath = "/live"\nsecure = true\nsame_site = "strict"\n');
  const { headers, text } = await request(server, OPEN);
  const { sid } = JSON.parse(text.slice(1));
  const [pair, ...attributes] = headers['set-cookie'][0].split('; ');
  assert.equal(pair, `io=${sid}`);
  assert.deepEqual(attributes.sort(), ['HttpOnly', 'Max-Age=3600', 'Path=/live', 'SameSite=Strict', 'Secure']);
});

test('long answers to polls are compressed', async (t) => {
  for (const [config, compresses] of [['', 1024], ['[socketio]\nhttp_compression_threshold_bytes = 100000\n', 100_000]]) {
    const server = await Server.start(t, config);
    for (const [encoding, decompress] of [['gzip', gunzipSync], ['deflate', inflateSync], ['br', undefined]]) {
      const polling = await Polling.open(`${server.url}/socket.io/`, 4);
      await polling.post('40');
      await polling.polled();
      await polling.post('420["subscribe","long"]');
      await polling.polled();
      const target = new URL(polling.url);
      const poll = () => request(server, target.pathname + target.search, { headers: { 'Accept-Encoding': encoding } });
      for (const length of [100, 50_000]) {
        const polled = poll();
        await publish(server, 'long', JSON.stringify('a'.repeat(length)));
        const { headers, bytes } = await polled;
        const isCompressed = decompress && length >= compresses;
        assert.equal(headers['content-encoding'], isCompressed ? encoding : undefined, `${encoding} ${length}`);
        const text = (isCompressed ? decompress(bytes) : bytes).toString();
        assert.equal(text, `42["message","${'a'.repeat(length)}"]`);
        if (isCompressed) assert.ok(bytes.length < 1000);
      }
    }
  }
});

test('WebSocket messages are compressed where it is set', async (t) => {
  const server = await Server.start(t, '[websocket]\ncompression = true\n');
  const socket = await connect(t, server.url, { perMessageDeflate: {} });
  assert.match(socket.io.engine.transport.ws.extensions, /permessage-deflate/);
  await ok(socket, 'subscribe', 'long');
  const before = socket.io.engine.transport.ws._socket.bytesRead;
  const heard = next(socket, 'message');
  await publish(server, 'long', JSON.stringify('a'.repeat(50_000)));
  assert.deepEqual(await heard, ['a'.repeat(50_000)]);
  assert.ok(socket.io.engine.transport.ws._socket.bytesRead - before < 1000);
});

test('requests of one session may come to any worker', async (t) => {
  const server = await Server.start(t, 'workers = 4\n');
  const heard = [];
  const clients = await Promise.all(
    Array.from({ length: 8 }, async (_, n) => {
      // Each request is a connection of its own, and the kernel or the server chooses the worker.
      const agent = new http.Agent({ keepAlive: false });
      const polling = await Polling.open(`${server.url}/socket.io/`, 4);
      const { pathname, search } = new URL(polling.url);
      const once = (options) => request(server, pathname + search, { agent, ...options });
      await once({ method: 'POST', body: '40' });
      await once();
      await once({ method: 'POST', body: '420["subscribe","many workers"]' });
      await once();
      heard[n] = [];
      return once;
    }),
  );
  for (let round = 0; round < 10; round++) {
    const polls = clients.map((once) => once());
    await Promise.all(clients.map((once, n) => once({ method: 'POST', body: `42["publish","many workers","${n}.${round}"]` })));
    for (const [n, poll] of (await Promise.all(polls)).entries()) {
      assert.equal(poll.status, 200);
      heard[n].push(...poll.text.split('\x1e'));
    }
  }
  for (const [n, once] of clients.entries()) {
    while (heard[n].length < 80) heard[n].push(...(await once()).text.split('\x1e'));
  }
  assert.equal(new Set(heard[0]).size, 80);
  for (const one of heard) assert.deepEqual(one, heard[0]);
});

test('clients of four workers hear each other in one order, over upgrades', async (t) => {
  const server = await Server.start(t, 'workers = 4\n');
  const sockets = await Promise.all(Array.from({ length: 12 }, () => connect(t, server.url, { transports: ['polling', 'websocket'] })));
  await Promise.all(sockets.map((socket) => ok(socket, 'subscribe', 'all')));
  const heard = sockets.map((socket) => nextOnes(socket, 'n', 120));
  await Promise.all(sockets.map((socket, n) => Promise.all(Array.from({ length: 10 }, (_, m) => ok(socket, 'publish', 'all', `${n}.${m}`, { name: 'n' })))));
  const [first, ...others] = await Promise.all(heard);
  for (const one of others) assert.deepEqual(one, first);
});
