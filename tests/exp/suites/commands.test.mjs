// The commands of the binary, and SDKs that log in with what they add and hear what they broadcast.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { within } from '../../clients/harness/deadline.mjs';
import { Server } from '../../standalone/harness/server.mjs';
import { logIn, tokenOf } from '../harness/api.mjs';
import { online } from '../harness/cases.mjs';
import { APP, DEVICE, KEYS, SECOND, configuration } from '../harness/config.mjs';
import { NodeSdk } from '../harness/node.mjs';

const ENDS_MS = 15_000;

describe('by command', { concurrency: 4 }, () => {
  const sdk = new NodeSdk();
  let server;
  before(async () => (server = await Server.start(undefined, configuration())));
  after(() => server?.stop());

  const admin = { ANTIPHON_TOKEN: KEYS.admin };

  test('devices, apps and users are let in, also after a restart, and revoked', async (t) => {
    const own = await Server.start(t, configuration());
    const secret = (await command(own, ['credential', 'add', 'device', 'made'], { env: admin })).trim();
    assert.match(secret, /^[\x21-\x7e]{16,}$/);
    await command(own, ['credential', 'add', 'consumer-app', 'made', '--api-key-file', '-'], { env: admin, input: 'chosen-api-key\n' });
    await command(own, ['credential', 'add', 'user', 'zoë@example.com', '--password-file', '-'], { env: admin, input: 'passwörd 123\n' });
    const [device, app] = [{ uuid: 'made', secret }, { uuid: 'made', apiKey: 'chosen-api-key' }];
    const user = { username: 'zoë@example.com', password: 'passwörd 123', organization: 'scala' };
    for (const credentials of [device, app, user]) await online(t, { sdk, server: own }, credentials);

    await own.kill();
    await own.restart();
    for (const credentials of [device, app, user]) await online(t, { sdk, server: own }, credentials);
    assert.ok(!(await stored(own)).includes('passwörd 123'));
    const listed = JSON.parse(await command(own, ['credential', 'list', '--json'], { env: admin }));
    const made = listed.filter(({ source }) => source === 'store').map(({ kind, name }) => [kind, name]);
    assert.deepEqual(made, [['device', 'made'], ['consumer_app', 'made'], ['user', 'zoë@example.com']]);
    assert.ok(!JSON.stringify(listed).includes(secret));

    const before = await tokenOf(own, device);
    await command(own, ['credential', 'revoke', 'device', 'made'], { env: admin });
    assert.equal((await logIn(own, device)).status, 401);
    assert.equal((await logIn(own, app)).status, 200);
    const socket = await fetch(`${own.url}/socket.io/?EIO=3&transport=polling&token=${before}`);
    assert.equal(socket.status, 401);
    await socket.body.cancel();
    // What the configuration says stays as it is.
    await assert.rejects(command(own, ['credential', 'revoke', 'device', DEVICE.uuid], { env: admin }));
    assert.equal((await logIn(own, DEVICE)).status, 200);
  });

  test('the system speaks to everybody', async (t) => {
    const channel = { name: 'system news', system: true };
    const device = await online(t, { sdk, server }, DEVICE);
    const listener = await device.listen(channel, 'update');
    const args = ['broadcast', channel.name, '{"version":2}', '--name', 'update', '--timeout', '1s', '--until', '1', '--raw'];
    const asked = command(server, [...args, '--system'], { env: admin });
    const { payload, respond } = await listener.next();
    assert.deepEqual(payload, { version: 2 });
    await respond('updated');
    assert.match(await asked, /updated/);
    // Nobody else does, and consumer apps do not hear of it.
    await assert.rejects(command(server, [...args, '--system'], { env: { ANTIPHON_TOKEN: KEYS.all } }), /not permitted|not-permitted|403/);
    await assert.rejects(command(server, [...args, '--system'], { env: { ANTIPHON_TOKEN: await tokenOf(server, SECOND) } }));
    const app = await online(t, { sdk, server }, APP);
    await assert.rejects(app.listen(channel, 'update', 500), /no word that it listens/);
  });

  test('a broadcast is answered by devices and apps', async (t) => {
    const channel = { name: 'asked by command', consumer: true };
    const listeners = [];
    for (const credentials of [DEVICE, APP]) listeners.push(await (await online(t, { sdk, server }, credentials)).listen(channel, 'ask'));
    const args = ['broadcast', channel.name, '"who is there?"', '--consumer', '--name', 'ask', '--until', '2', '--timeout', '8s', '--raw'];
    const asked = command(server, args, { env: { ANTIPHON_TOKEN: KEYS.all } });
    for (const [n, listener] of listeners.entries()) {
      const { payload, respond } = await listener.next();
      assert.equal(payload, 'who is there?');
      await respond(`answer ${n}`);
    }
    assert.match(await asked, /answer 0[^]*answer 1/);
  });
});

/** What a command prints. It has to end well. */
async function command(server, args, { env, input = '' }) {
  const running = spawn(path.resolve(process.env.ANTIPHON_BIN), args, { env: { ...process.env, ANTIPHON_URL: server.url, ...env } });
  let said = '';
  let failed = '';
  running.stdout.on('data', (text) => (said += text));
  running.stderr.on('data', (text) => (failed += text));
  running.stdin.on('error', () => {});
  running.stdin.end(input);
  const code = await within(new Promise((resolve) => running.on('close', resolve)), `end of ${args.join(' ')}`, ENDS_MS);
  if (code !== 0) throw new Error(`antiphon ${args.join(' ')} ended with ${code}: ${failed}`);
  return said;
}

/** All bytes that a server has stored. */
async function stored(server) {
  const files = await readdir(server.dataDirectory);
  const contents = await Promise.all(files.map((file) => readFile(path.join(server.dataDirectory, file)).catch(() => Buffer.alloc(0))));
  return Buffer.concat(contents);
}
