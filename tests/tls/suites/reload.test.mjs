// Files that change under connections that last.

import assert from 'node:assert/strict';
import { copyFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import WebSocket from 'ws';
import { next } from '../../clients/harness/deadline.mjs';
import { Authority, shared } from '../harness/authority.mjs';
import { handshake, run } from '../harness/programs.mjs';
import { Server, binary, text } from '../harness/server.mjs';

describe('reloading', { concurrency: true }, () => {
  for (const how of ['on its own', 'by a signal']) {
    it(`a changed certificate counts for new connections, ${how}`, async (t) => {
      const { localhost, other } = shared();
      const files = await own(t, localhost);
      const interval = how === 'by a signal' ? '0s' : '100ms';
      const server = await Server.start(t, { tls: `${files.toml}\nreload_interval = "${interval}"` });
      const socket = new WebSocket(`wss://${server.host}/v1/channels/room`, { ca: shared().ca });
      t.after(() => socket.terminate());
      await next(socket, 'open');
      assert.match(await handshake(server), /subject=CN = localhost\n/);

      files.put(other);
      if (how === 'by a signal') server.reload();
      await server.says(/a changed certificate counts from here on/);
      assert.match(await handshake(server), /subject=CN = other\n/);
      const message = next(socket, 'message');
      socket.send('"still here"');
      assert.equal(String((await message)[0]), '"still here"');

      // A key that is not the certificate's, then no PEM at all.
      copyFileSync(localhost.keyFile, files.keyFile);
      if (how === 'by a signal') server.reload();
      await server.says(/the certificate stays as it was/);
      assert.match(await handshake(server), /subject=CN = other\n/);
      server.hush();
      writeFileSync(files.certFile, 'broken');
      if (how === 'by a signal') server.reload();
      await server.says(/the certificate stays as it was/);
      assert.match(await handshake(server), /subject=CN = other\n/);

      server.hush();
      files.put(localhost);
      if (how === 'by a signal') server.reload();
      await server.says(/a changed certificate counts from here on/);
      assert.match(await handshake(server), /subject=CN = localhost\n/);
      assert.equal(socket.readyState, WebSocket.OPEN);
      assert.doesNotMatch(server.said, /PRIVATE|BEGIN/);
    });
  }

  it('what is wrong with the files is said before the server starts', async (t) => {
    const { localhost, other, directory } = shared();
    const authority = new Authority(directory, 'checked');
    const old = authority.issue('old', { names: ['DNS:old'], usage: 'serverAuth', dates: ['20200101000000Z', '20210101000000Z'] });
    const empty = path.join(authority.directory, 'empty');
    writeFileSync(empty, '');
    for (const [certFile, keyFile, expected, code] of [
      [localhost.certFile, other.keyFile, /key/, 1],
      [empty, other.keyFile, /empty/, 1],
      [path.join(authority.directory, 'none'), other.keyFile, /none: No such file/, 1],
      [localhost.certFile, empty, /empty/, 1],
      [old.certFile, old.keyFile, /has expired/, 0],
      [localhost.certFile, localhost.keyFile, /^$/, 0],
    ]) {
      const file = path.join(authority.directory, 'antiphon.toml');
      const tls = `[tls]\nlisten = ["127.0.0.1:0"]\ncertificate_file = ${text(certFile)}\nkey_file = ${text(keyFile)}`;
      writeFileSync(file, tls);
      const checked = await run(binary(), ['check-config', file]);
      assert.equal(checked.code, code, checked.err);
      const said = checked.err.split('\n').filter((line) => !/everybody on this machine can read/.test(line)).join('\n');
      assert.match(said.trim(), expected, `${certFile} ${keyFile}`);
      assert.doesNotMatch(checked.err + checked.out, /BEGIN/);
    }
  });
});

/** A pair of files of the test's own. */
async function own(t, first) {
  const authority = new Authority(shared().directory, `files-${process.pid}-${Math.random().toString(36).slice(2)}`);
  const [certFile, keyFile] = ['own.pem', 'own.key'].map((name) => path.join(authority.directory, name));
  const put = (files) => {
    copyFileSync(files.certFile, certFile);
    copyFileSync(files.keyFile, keyFile);
  };
  put(first);
  return { certFile, keyFile, put, toml: `certificate_file = ${text(certFile)}\nkey_file = ${text(keyFile)}` };
}
