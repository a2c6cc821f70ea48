// The programs of the EXP guide, word for word, each in a process of its own.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { Server, within } from './server.mjs';

const CLIENT_1 = `
const channel = exp.getChannel('testChannel');
channel.listen('eventName', (payload, respond) => {
  if (payload && payload.text === 'hello?') respond('hi there!');
});
`;

const CLIENT_2 = `
const channel = exp.getChannel('testChannel');
channel.broadcast('eventName', { text : 'hello?' }, 2000).then(response => {
  console.log(response.length); // 1
  console.log(response[0]); // 'hi there!'
});
`;

const FORMS = {
  'ES module': {
    flags: ['--input-type=module'],
    begin: (url) => `import { connect } from 'antiphon'; const exp = await connect({ url: '${url}' });`,
    end: '',
  },
  CommonJS: {
    flags: ['--input-type=commonjs'],
    begin: (url) => `const { connect } = require('antiphon'); connect({ url: '${url}' }).then(async (exp) => {`,
    end: '});',
  },
};

function run(t, { flags, begin, end }, url, program) {
  const text = `${begin(url)}\n${program}\n${end}`;
  const child = spawn(process.execPath, [...flags, '-e', text], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill());
  const lines = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    child.emit('line', lines);
  });
  return { child, lines };
}

for (const [name, form] of Object.entries(FORMS)) {
  test(`the guide's programs, as ${name}`, async (t) => {
    const server = await Server.start(t);
    const { child: first } = run(t, form, server.url, `${CLIENT_1} await channel.listen('ready', () => {}); console.log('listening');`);
    await within(once(first, 'line'), 'word of the first client');
    const { child: second, lines } = run(t, form, server.url, `${CLIENT_2} exp.on('close', () => {}); setTimeout(() => exp.close(), 3000);`);
    await within(once(second, 'exit'), 'the end of the second client');
    assert.deepEqual(lines, ['1', 'hi there!']);
  });
}

test('the programs meet curl', async (t) => {
  const server = await Server.start(t);
  const { child } = run(t, FORMS['ES module'], server.url, `${CLIENT_1} await channel.listen('ready', () => {}); console.log('listening');`);
  await within(once(child, 'line'), 'word of the client');
  const answer = await fetch(`${server.url}/v1/channels/testChannel/broadcasts?name=eventName&timeout=5s&until=1`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"text":"hello?"}',
  });
  assert.deepEqual((await answer.json()).replies.map(({ payload }) => payload), ['hi there!']);
});

test('the examples run', async (t) => {
  const server = await Server.start(t);
  const start = (name) => {
    const child = spawn(process.execPath, [`examples/${name}.mjs`, server.url], {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => child.kill('SIGKILL'));
    const lines = [];
    createInterface({ input: child.stdout }).on('line', (line) => child.emit('line', lines.push(line)));
    return { child, lines };
  };
  const { child: answer } = start('answer');
  await within(once(answer, 'line'), 'word of the example that answers');
  const { child: ask, lines } = start('ask');
  await within(once(ask, 'close'), 'the end of the example that asks');
  assert.deepEqual(lines, ['1 responded: hi there!']);
  const { child: device } = start('device');
  await within(once(device, 'line'), 'word of the device');
  const readings = async () => (await (await fetch(`${server.url}/v1/channels/readings?since=0&wait=20s`)).json()).messages.length;
  assert.ok((await within(readings(), 'a reading')) > 0);
  const ended = once(answer, 'exit');
  answer.kill('SIGINT');
  assert.equal((await within(ended, 'the end of the example that answers'))[0], 0);
});
