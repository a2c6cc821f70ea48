// Certificates from an ACME server, by both challenges.

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import tls from 'node:tls';
import WebSocket from 'ws';
import { next, within } from '../../clients/harness/deadline.mjs';
import { shared } from '../harness/authority.mjs';
import { Pebble, freePorts } from '../harness/pebble.mjs';
import { Server, text } from '../harness/server.mjs';

const DOMAINS = ['chat.example.com', 'www.chat.example.com'];
const SHOWN = /this certificate is shown from here on/;

describe('ACME', { concurrency: true }, () => {
  for (const challenge of ['tls-alpn-01', 'http-01']) {
    it(`a certificate is got by ${challenge} and kept`, async (t) => {
      const pebble = await Pebble.start(t);
      const server = await start(t, pebble, { challenge });
      await server.says(SHOWN);
      const first = await shown(server, await pebble.root());
      assert.deepEqual(first.names, DOMAINS);
      const directory = path.join(server.directory, 'data', 'acme');
      assert.equal(statSync(directory).mode & 0o777, 0o700);
      const [own] = readdirSync(directory);
      for (const file of readdirSync(path.join(directory, own))) {
        assert.equal(statSync(path.join(directory, own, file)).mode & 0o777, 0o600, file);
      }
      assert.doesNotMatch(server.said, /BEGIN|PRIVATE/);
      await server.kill();
      server.hush();
      await server.restart();
      const kept = await shown(server, await pebble.root());
      assert.equal(kept.serial, first.serial);
      assert.equal(pebble.orders, 1);
      // What it asked for is asked for no longer.
      assert.equal(await shown(server, undefined, { ALPNProtocols: ['acme-tls/1'] }).catch(() => 'refused'), 'refused');
    });
  }

  it('a certificate is renewed in time, and connections stay', async (t) => {
    const pebble = await Pebble.start(t, { life: 9 });
    const server = await start(t, pebble);
    await server.says(SHOWN);
    const first = await shown(server, await pebble.root());
    const socket = new WebSocket(`wss://127.0.0.1:${server.port}/v1/channels/room`, {
      ca: await pebble.root(),
      servername: DOMAINS[0],
      headers: { host: 'localhost' },
      checkServerIdentity: () => undefined,
    });
    t.after(() => socket.terminate());
    await next(socket, 'open');
    server.hush();
    await server.says(SHOWN);
    const second = await shown(server, await pebble.root());
    assert.notEqual(second.serial, first.serial);
    assert.deepEqual(second.names, DOMAINS);
    const message = next(socket, 'message');
    await fetch(`${server.plainUrl}/v1/channels/room`, { method: 'POST', body: '"still here"', headers: { 'content-type': 'application/json' } });
    assert.equal(String((await message)[0]), '"still here"');
    assert.equal(socket.readyState, WebSocket.OPEN);
  });

  it('an account of another name is bound to ours where one is wanted', async (t) => {
    const key = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W';
    const pebble = await Pebble.start(t, { accounts: { ours: key } });
    const server = await start(t, pebble, { more: `external_account = "ours"\nexternal_account_key = "${key}"` });
    await server.says(SHOWN);
    assert.doesNotMatch(server.said, new RegExp(key.slice(0, 12)));
    const without = await start(t, pebble, { elsewhere: true });
    await without.says(/no certificate for .*the authority gives no account.*external/is);
  });

  it('what is refused is said with what to do, and not asked for again at once', async (t) => {
    const pebble = await Pebble.start(t);
    // The authority looks where nobody listens.
    const server = await start(t, pebble, { elsewhere: true, more: 'retry_after = "1h"' });
    await server.says(/no certificate for chat.example.com, www.chat.example.com: .*Failed to connect.*Port 443.*tried again in 3600 s/i);
    assert.equal(pebble.orders, 1);
    await server.kill();
    server.hush();
    await server.restart();
    // Another server's order is the sign that this one would have had time for its own.
    const other = await start(t, pebble, { elsewhere: true });
    await other.says(/no certificate for/);
    assert.equal(pebble.orders, 2, 'a restart does not hammer');
  });

  it('each failure waits for longer', async (t) => {
    const pebble = await Pebble.start(t);
    const server = await start(t, pebble, { elsewhere: true, more: 'retry_after = "1s"' });
    await server.says(/tried again in 1 s[\s\S]*tried again in 2 s/);
  });

  it('an authority that is not there is an authority that is asked later', async (t) => {
    const [nobody] = await freePorts(1);
    const server = await start(t, { url: `https://localhost:${nobody}/dir`, tlsPort: 0, httpPort: 0 });
    await server.says(/no certificate for .*refused.*tried again in 300 s/i);
  });
});

/** A server that gets its certificate from that authority; `elsewhere`: on ports where the authority does not look. */
function start(t, pebble, { challenge = 'tls-alpn-01', more = '', elsewhere } = {}) {
  const acme = `
[tls.acme]
domains = ${JSON.stringify(DOMAINS)}
terms_of_service_agreed = true
contact = ["mailto:ops@example.com"]
directory_url = ${text(pebble.url)}
ca_file = ${text(shared().caFile)}
challenge = "${challenge}"
${more}`;
  const ports = elsewhere ? {} : { port: pebble.tlsPort, plainPort: pebble.httpPort };
  return Server.start(t, { tls: acme, ...ports });
}

/** The certificate that is shown, verified: `{ serial, names }`. */
async function shown(server, root, options = {}) {
  const socket = tls.connect({ host: '127.0.0.1', port: server.port, servername: DOMAINS[0], ca: root, ...options });
  try {
    await within(
      new Promise((resolve, reject) => {
        socket.once('secureConnect', resolve);
        socket.once('error', reject);
      }),
      'end of the handshake',
    );
    const certificate = new X509Certificate(socket.getPeerCertificate().raw);
    const names = certificate.subjectAltName.split(', ').map((name) => name.replace('DNS:', ''));
    return { serial: certificate.serialNumber, names: names.sort() };
  } finally {
    socket.destroy();
  }
}
