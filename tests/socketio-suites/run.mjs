// Runs the official test suites of the protocols, as they are, against the conformance server.
//
//   node run.mjs --suites DIR --bin PATH [--rounds 5]
//
// DIR is a copy of the `docs` directory of the repository in which the suites live; each suite has been given its
// dependencies there with `npm ci`. PATH is the conformance example, or a script that node is to run in its place.
// The suites connect to port 3000 of localhost, which must be free.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

const PORT = '3000';
const SERVER_STARTS_MS = 20_000;

const SUITES = [
  { name: 'Engine.IO v4', directory: 'engine.io-protocol/v4-test-suite', cases: 25, eio3: '0' },
  { name: 'Engine.IO v3', directory: 'engine.io-protocol/v3-test-suite', cases: 23, eio3: '1' },
  { name: 'Socket.IO v5', directory: 'socket.io-protocol/v5-test-suite', cases: 32, eio3: '0' },
];

const { values: options } = parseArgs({
  options: {
    suites: { type: 'string' },
    bin: { type: 'string' },
    rounds: { type: 'string', default: '1' },
  },
});
if (!options.suites || !options.bin) throw new Error('usage: run.mjs --suites DIR --bin PATH [--rounds N]');

let passed = 0;
let failed = 0;
for (let round = 1; round <= Number(options.rounds); round++) {
  for (const suite of SUITES) {
    const outcome = await runSuite(suite);
    const whole = outcome.failures === 0 && outcome.passes === suite.cases;
    passed += outcome.passes;
    // A suite that ran fewer cases than it has must not look like one that passed.
    failed += Math.max(outcome.failures, suite.cases - outcome.passes);
    console.log(`round ${round}  ${suite.name}: ${outcome.passes}/${suite.cases}${whole ? '' : '  FAILED'}`);
    for (const failure of outcome.details) console.log(`    ${failure}`);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function runSuite({ directory, eio3 }) {
  const cwd = path.resolve(options.suites, directory);
  const mocha = path.join(cwd, 'node_modules/mocha/bin/mocha');
  if (!existsSync(mocha)) throw new Error(`${cwd} has no mocha: run \`npm ci\` there`);
  const server = await startServer(eio3);
  try {
    return await runMocha(mocha, cwd);
  } finally {
    const exited = once(server, 'exit');
    server.kill('SIGKILL');
    await exited;
  }
}

async function startServer(eio3) {
  const script = /\.[cm]?js$/.test(options.bin);
  const command = script ? [process.execPath, options.bin] : [options.bin];
  const env = { ...process.env, PORT, PING_INTERVAL_MS: '300', PING_TIMEOUT_MS: '200', EIO3: eio3 };
  const server = spawn(command[0], command.slice(1), { env, stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('the server does not say that it listens')), SERVER_STARTS_MS);
    const settle = (how) => (value) => {
      clearTimeout(late);
      how(value);
    };
    // Read to the end, so that a server that says more never waits for us.
    createInterface({ input: server.stdout }).on('line', (line) => {
      if (line.includes('listening on')) settle(resolve)();
    });
    server.once('error', settle(reject));
    server.once('exit', (code, signal) => {
      settle(reject)(new Error(`the server ended before it listened: ${code ?? signal}`));
    });
  });
  return server;
}

async function runMocha(mocha, cwd) {
  const run = spawn(process.execPath, [mocha, '--reporter', 'json', '--exit', 'test-suite.js'], {
    cwd,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let json = '';
  run.stdout.setEncoding('utf8').on('data', (chunk) => (json += chunk));
  await once(run, 'close');
  let report;
  try {
    report = JSON.parse(json.slice(json.indexOf('{')));
  } catch {
    return { passes: 0, failures: 0, details: [`mocha did not report: ${json.slice(0, 400)}`] };
  }
  const details = report.failures.map(({ fullTitle, err }) => `${fullTitle}: ${err.message?.split('\n')[0]}`);
  return { passes: report.stats.passes, failures: report.stats.failures, details };
}
