// Certificates of clients as identities, in every dialect.

import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { before, describe, it } from 'node:test';
import { io } from 'sio4';
import WebSocket from 'ws';
import { next, within } from '../../clients/harness/deadline.mjs';
import { Authority, shared } from '../harness/authority.mjs';
import { antiphon, curl, run } from '../harness/programs.mjs';
import { Server, text } from '../harness/server.mjs';

const WHOLE_LIFE_MS = 4000;

describe('certificates of clients', { concurrency: true }, () => {
  let [acme, globex, stranger, device, twin, expired, revoked] = [];

  before(() => {
    const directory = path.join(shared().directory, 'mutual');
    [acme, globex, stranger] = ['acme', 'globex', 'stranger'].map((name) => new Authority(directory, name));
    device = acme.issue('sensor-7', { names: ['URI:spiffe://acme/sensor-7', 'email:sensor-7@acme.example'] });
    twin = globex.issue('sensor-7');
    expired = acme.issue('expired', { dates: ['20200101000000Z', '20210101000000Z'] });
    revoked = acme.issue('revoked');
    acme.revoke(revoked);
  });

  /** A server of two orgs, whose devices have certificates. */
  function start(t, { wanted = 'optional', crlFile = acme.revocationList(), top, more = '' } = {}) {
    const { localhost } = shared();
    const tls = `certificate_file = ${text(localhost.certFile)}\nkey_file = ${text(localhost.keyFile)}\nclient_certificates = "${wanted}"`;
    const rest = `
[[org]]
name = "acme"
publish_key = "pub-acme"
subscribe_key = "sub-acme"
secret_key = "secret-acme"
access_manager = true
[[org.key]]
key = "key-of-acme"
allow = ["publish", "subscribe", "presence"]
[[org.certificate_authority]]
ca_file = ${text(acme.caFile)}
crl_file = ${text(crlFile)}
allow = ["publish", "subscribe"]
channels = ["room.*"]
[[org]]
name = "globex"
[[org.certificate_authority]]
ca_file = ${text(globex.caFile)}
kind = "user"
${more}`;
    return Server.start(t, { tls, rest, top });
  }

  it('a certificate is the identity of its holder, of its own org alone', async (t) => {
    const server = await start(t);
    for (const [files, org] of [[device, 'acme'], [twin, 'globex']]) {
      const socket = await open(t, server, files);
      const published = JSON.parse(await ask(server, '/v1/channels/room.1', files, ['-d', JSON.stringify({ from: org })]));
      assert.ok(published.position, JSON.stringify(published));
      const [message] = await socket.messages(1);
      assert.deepEqual([message.publisher, message.payload], ['sensor-7', { from: org }]);
      // Whatever it calls itself.
      await ask(server, '/v1/channels/room.1?identity=somebody', files, ['-d', '{"n":2}']);
      const [again] = await socket.messages(1);
      assert.equal(again.publisher, 'sensor-7');
      assert.equal(socket.waiting, 0, 'nothing of the other org');
    }
  });

  it('it may what its authority is let, and no more', async (t) => {
    const server = await start(t);
    assert.equal(await status(server, '/v1/channels/other', device, ['-d', '1']), '403');
    assert.equal(await status(server, '/v1/channels/room.1/presence', device), '403');
    assert.equal(await status(server, '/v1/channels/room.1', device, ['-d', '1']), '201');
    assert.equal(await status(server, '/v1/channels/other', twin, ['-d', '1']), '201');
    const key = ['-H', 'Authorization: Bearer key-of-acme'];
    assert.equal(await status(server, '/v1/channels/other', device, ['-d', '1', ...key]), '201', 'a credential goes before it');
    assert.equal(await status(server, '/v1/channels/room.1', device, ['-d', '1', '-H', 'Authorization: Bearer wrong-key']), '401');
  });

  it('who has none, or one that is not good, gets in nowhere', async (t) => {
    const server = await start(t);
    assert.equal(await status(server, '/v1/channels/room.1', undefined, ['-d', '1']), '401');
    for (const [files, alert] of [
      [stranger.issue('sensor-7'), /alert unknown ca/],
      [expired, /alert certificate expired/],
      [revoked, /alert certificate revoked/],
      [acme.issue('usage', { usage: 'serverAuth' }), /alert/],
    ]) {
      for (const version of ['-tls1_2', '-tls1_3']) {
        const args = ['s_client', version, '-ign_eof', '-connect', `127.0.0.1:${server.port}`, '-CAfile', shared().caFile];
        const said = await run('openssl', [...args, '-cert', files.certFile, '-key', files.keyFile], { input: 'GET / HTTP/1.1\r\n\r\n' });
        assert.match(said.err + said.out, alert);
        assert.doesNotMatch(said.out, /HTTP\/1.1/);
      }
    }
  });

  it('where it is required there is no connection without', async (t) => {
    const server = await start(t, { wanted: 'required' });
    await assert.rejects(curl([`${server.url}/health/live`]), /^Error: curl .*: (55|56|92) /);
    assert.equal(await status(server, '/health/live', device), '200');
    const key = ['-H', 'Authorization: Bearer key-of-acme', '-d', '1'];
    assert.equal(await status(server, '/v1/channels/other', device, key), '201');
  });

  it('it is asked about again when a session is resumed', async (t) => {
    const crlFile = path.join(shared().directory, 'resumed-crl.pem');
    copyFileSync(acme.revocationList(), crlFile);
    const server = await start(t, { crlFile });
    const going = acme.issue('going');
    for (const version of ['-tls1_2', '-tls1_3']) {
      const session = path.join(server.directory, `session${version}`);
      const args = [version, '-ign_eof', '-connect', `127.0.0.1:${server.port}`, '-CAfile', shared().caFile];
      const input = 'POST /v1/channels/room.1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1\r\n\r\n1';
      const own = ['-cert', going.certFile, '-key', going.keyFile];
      const ask = async (more) => (await run('openssl', ['s_client', ...args, ...own, ...more], { input })).out;
      assert.match(await ask(['-sess_out', session]), /HTTP\/1.1 201/);
      const resumed = await ask(['-sess_in', session]);
      assert.match(resumed, /Reused/);
      assert.match(resumed, /HTTP\/1.1 201/);
      if (version !== '-tls1_3') continue;
      acme.revoke(going);
      copyFileSync(acme.revocationList(), crlFile);
      server.hush();
      server.reload();
      await server.says(/all key files have been read again/);
      assert.doesNotMatch(await ask(['-sess_in', session]), /HTTP\/1.1 201/);
    }
  });

  it('connections end when their certificate is revoked or over', async (t) => {
    const own = new Authority(path.join(shared().directory, 'ending'), `own-${process.pid}`);
    const crlFile = own.revocationList();
    const soon = (ms) => new Date(Date.now() + ms).toISOString().replace(/[-:T]/g, '').replace(/\.\d+Z/, 'Z');
    const more = `[[org]]\nname = "own"\n[[org.certificate_authority]]\nca_file = ${text(own.caFile)}\ncrl_file = ${text(crlFile)}`;
    const server = await start(t, { more });
    const [going, staying] = [own.issue('going'), own.issue('staying')];
    const short = own.issue('short', { dates: [soon(-60_000), soon(WHOLE_LIFE_MS)] });
    const [gone, stayed, ended] = await Promise.all([going, staying, short].map((files) => open(t, server, files)));
    own.revoke(going);
    own.revocationList();
    server.reload();
    await gone.closed;
    await ended.closed;
    assert.equal(stayed.socket.readyState, WebSocket.OPEN);
    await ask(server, '/v1/channels/room.1', staying, ['-d', '{"still":"here"}']);
    assert.match(JSON.stringify(await stayed.messages(1)), /still/);
  });

  it('Socket.IO knows it', async (t) => {
    const server = await start(t);
    for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
      const options = { cert: device.cert, key: device.key, ca: shared().ca };
      const socket = io(server.url, { transports, reconnection: false, forceNew: true, ...options });
      t.after(() => socket.disconnect());
      await next(socket, 'connect');
    }
    const nobody = io(server.url, { transports: ['websocket'], reconnection: false, forceNew: true, ca: shared().ca });
    t.after(() => nobody.disconnect());
    const [error] = await next(nobody, 'connect_error');
    assert.match(error.message, /credential/);
  });

  it('PubNub takes it where a token would do', async (t) => {
    const server = await start(t);
    const publish = (channel, files, more = '') =>
      status(server, `/publish/pub-acme/sub-acme/0/${channel}/0/1?uuid=sensor-7${more}`, files);
    assert.equal(await publish('room.1', undefined), '403');
    assert.equal(await publish('room.1', device), '200');
    assert.equal(await publish('other', device), '403');
    assert.equal(await publish('room.1', twin), '403', 'of another org');
    const other = `/publish/pub-acme/sub-acme/0/room.1/0/1?uuid=somebody`;
    assert.equal(await status(server, other, device), '403', 'under another name');
  });

  it('the binary has one too', async (t) => {
    const server = await start(t);
    const args = ['--url', `wss://localhost:${server.port}`, '--cert-file', device.certFile, '--key-file', device.keyFile];
    const published = await antiphon(['publish', 'room.1', '{"n":1}', ...args]);
    assert.match(published.out, /^\d+\n$/, published.err);
    const refused = await antiphon(['publish', 'room.1', '1', '--url', server.url]);
    assert.match(refused.err, /credential is needed/);
    const foreign = await run(process.env.ANTIPHON_BIN, ['publish', 'room.1', '1', '--url', server.url]);
    assert.match(foreign.err, /certificate|UnknownIssuer/i, 'of an authority that it does not know');
  });

  it('Python has one too', async (t) => {
    const server = await start(t);
    const script = new URL('../python/client.py', import.meta.url).pathname;
    const args = [script, '--port', server.port, '--ca', shared().caFile, '--cert', device.certFile, '--key', device.keyFile];
    const { code, out, err } = await run(process.env.PYTHON ?? 'python3', args);
    assert.equal(code, 0, err);
    assert.match(out, /TLSv1.3 201 sensor-7/);
  });
});

/** Asks with curl, as the holder of a certificate. */
function ask(server, target, files, args = []) {
  const own = files ? ['--cert', files.certFile, '--key', files.keyFile] : [];
  return curl([...own, '-H', 'Content-Type: application/json', ...args, `${server.url}${target}`]);
}

function status(server, target, files, args = []) {
  return ask(server, target, files, ['-o', '/dev/null', '-w', '%{http_code}', ...args]);
}

/** A WebSocket of antiphon.v1 that listens to room.1: `{ socket, messages(count), waiting, closed }`. */
async function open(t, server, { cert, key }) {
  const socket = new WebSocket(`wss://localhost:${server.port}/v1/events?channel=room.1`, 'antiphon.v1', { cert, key, ca: shared().ca });
  t.after(() => socket.terminate());
  const got = [];
  let wake = () => {};
  socket.on('message', (data) => {
    const message = JSON.parse(data);
    if (message.type !== 'message') return;
    got.push(message);
    wake();
  });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  // What it is greeted with tells that it listens.
  await next(socket, 'message');
  return {
    socket,
    closed: within(closed, 'end of the connection', 15_000),
    get waiting() {
      return got.length;
    },
    async messages(count) {
      const there = (async () => {
        while (got.length < count) await new Promise((resolve) => (wake = resolve));
      })();
      await within(there, () => `${count} messages, but ${JSON.stringify(got)}`);
      return got.splice(0, count);
    },
  };
}
