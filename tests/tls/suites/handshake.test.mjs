// What OpenSSL can agree on with the server, and what not.

import assert from 'node:assert/strict';
import net from 'node:net';
import path from 'node:path';
import { describe, it } from 'node:test';
import { within } from '../../clients/harness/deadline.mjs';
import { shared } from '../harness/authority.mjs';
import { handshake } from '../harness/programs.mjs';
import { Server, text } from '../harness/server.mjs';

/** OpenSSL's own defaults leave out what is old. */
const ANYTHING = ['-cipher', 'ALL:@SECLEVEL=0'];

describe('handshakes', { concurrency: true }, () => {
  it('versions 1.2 and 1.3 are spoken, and no older ones', async (t) => {
    const server = await Server.start(t);
    for (const [version, name] of [['-tls1_2', 'TLSv1.2'], ['-tls1_3', 'TLSv1.3']]) {
      const said = await handshake(server, [version]);
      assert.match(said, new RegExp(`New, ${name}`));
      assert.match(said, /Verify return code: 0 \(ok\)/);
    }
    for (const version of ['-tls1_1', '-tls1']) {
      const said = await handshake(server, [version, ...ANYTHING]);
      assert.match(said, /alert (protocol version|handshake failure)/);
      assert.match(said, /New, \(NONE\)/);
    }
  });

  it('the floor can be 1.3', async (t) => {
    const { localhost } = shared();
    const certificate = `certificate_file = ${text(localhost.certFile)}\nkey_file = ${text(localhost.keyFile)}`;
    const server = await Server.start(t, { tls: `min_version = "1.3"\n${certificate}` });
    assert.match(await handshake(server, ['-tls1_2']), /alert protocol version/);
    assert.match(await handshake(server, ['-tls1_3']), /New, TLSv1.3/);
  });

  it('keys are forgotten with the connection, and what is encrypted is authenticated', async (t) => {
    const server = await Server.start(t);
    for (const suite of ['ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-CHACHA20-POLY1305']) {
      assert.match(await handshake(server, ['-tls1_2', '-cipher', suite]), new RegExp(`New, .*${suite}`));
    }
    for (const weak of ['kRSA', 'DHE', 'SHA1', 'SHA256:!AEAD', 'AES128-SHA', 'RC4', '3DES', 'aNULL', 'ECDHE-ECDSA-AES128-SHA256', 'PSK']) {
      const said = await handshake(server, ['-tls1_2', '-cipher', `${weak}:@SECLEVEL=0`]);
      assert.match(said, /alert handshake failure|no ciphers available|no cipher match|New, \(NONE\)/, weak);
      assert.doesNotMatch(said, /New, TLSv1/, weak);
    }
  });

  it('HTTP/2 and HTTP/1.1 are chosen by what the client offers', async (t) => {
    const server = await Server.start(t);
    for (const [offered, expected] of [['h2,http/1.1', 'h2'], ['http/1.1,h2', 'h2'], ['http/1.1', 'http/1.1']]) {
      assert.match(await handshake(server, ['-alpn', offered]), new RegExp(`ALPN protocol: ${expected}\n`), offered);
    }
    assert.match(await handshake(server), /No ALPN negotiated/);
    assert.match(await handshake(server, ['-alpn', 'imap']), /alert no application protocol/);
    assert.match(await handshake(server, ['-alpn', 'acme-tls/1']), /New, \(NONE\)|alert/, 'nobody has asked for a certificate');
  });

  it('the certificate is that of the name which is asked for', async (t) => {
    const { localhost, other, wildcard } = shared();
    const pair = ({ certFile, keyFile }) => `certificate_file = ${text(certFile)}\nkey_file = ${text(keyFile)}\n`;
    const more = [other, wildcard].map((files) => `[[tls.certificate]]\n${pair(files)}`).join('');
    const server = await Server.start(t, { tls: pair(localhost) + more });
    for (const [args, name] of [
      [['-servername', 'other.example'], 'other'],
      [['-servername', 'OTHER.example'], 'other'],
      [['-servername', 'a.wild.example'], 'wildcard'],
      [['-servername', 'a.b.wild.example'], 'localhost'],
      [['-servername', 'wild.example'], 'localhost'],
      [['-servername', 'unknown.example'], 'localhost'],
      [['-noservername'], 'localhost'],
    ]) {
      assert.match(await handshake(server, args), new RegExp(`subject=CN = ${name}\n`), args.join(' '));
    }
  });

  it('sessions are resumed, and there is no early data', async (t) => {
    const server = await Server.start(t);
    const request = 'GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
    for (const version of ['-tls1_2', '-tls1_3']) {
      const session = path.join(server.directory, `session${version}`);
      const first = await handshake(server, [version, '-ign_eof', '-sess_out', session], request);
      assert.match(first, /New, TLS/);
      const second = await handshake(server, [version, '-ign_eof', '-sess_in', session], request);
      assert.match(second, /Reused, TLS/, version);
      assert.match(second, /HTTP\/1.1 200/, version);
      assert.doesNotMatch(first, /Max Early Data: [1-9]/);
    }
  });

  it('nothing is renegotiated or compressed', async (t) => {
    const server = await Server.start(t);
    const said = await handshake(server, ['-tls1_2']);
    assert.match(said, /Compression: NONE/);
    // A line with an R asks OpenSSL to do it.
    const asked = await handshake(server, ['-tls1_2'], 'R\n');
    assert.match(asked, /no renegotiation|alert|RENEGOTIATING/);
    assert.doesNotMatch(asked, /verify return:1[\s\S]*RENEGOTIATING[\s\S]*verify return:1/);
    assert.equal(server.said, '', 'nobody fills the log by asking');
  });

  it('what is no TLS is cut off', async (t) => {
    const server = await Server.start(t);
    for (const bytes of ['GET / HTTP/1.1\r\nHost: localhost\r\n\r\n', '\x16\x03\x01\xff\xff', '\x00'.repeat(2000)]) {
      const socket = net.connect(server.port, '127.0.0.1');
      t.after(() => socket.destroy());
      let answer = Buffer.alloc(0);
      socket.on('data', (data) => (answer = Buffer.concat([answer, data])));
      const ended = new Promise((resolve) => socket.on('close', resolve));
      socket.on('error', () => {});
      socket.end(Buffer.from(bytes, 'latin1'));
      await within(ended, 'end of the connection');
      assert.doesNotMatch(answer.toString('latin1'), /HTTP/);
    }
  });
});
