// The client of python-socketio: `python/cases.py` says what it makes of the server.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { TestServer } from '../harness/server.mjs';

const CASES = fileURLToPath(new URL('../python/cases.py', import.meta.url));
const PYTHON = process.env.PYTHON;

let server;
let msgpack;
before(async () => {
  server = await TestServer.start();
  msgpack = await TestServer.start({ msgpack: true });
});
after(() => Promise.all([server?.kill(), msgpack?.kill()]));

test('python-socketio', { skip: !PYTHON && 'PYTHON names no interpreter that has it' }, async (t) => {
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1', PYTHONWARNINGS: 'ignore' };
  const python = spawn(PYTHON, [CASES, server.url, msgpack.url], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => python.kill());
  const ended = once(python, 'exit');
  for await (const line of createInterface({ input: python.stdout })) {
    const said = JSON.parse(line);
    if (said.do === 'restart') {
      await server.kill();
      await server.restart();
      python.stdin.write('done\n');
    } else {
      await t.test(said.test, () => assert.equal(said.error, null, said.error));
    }
  }
  assert.deepEqual(await ended, [0, null]);
});
