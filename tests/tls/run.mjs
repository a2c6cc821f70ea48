// Makes certificates, runs the suites, and prints what failed and how many passed. Nothing is left.
//
//   ANTIPHON_BIN=PATH node run.mjs [TEXT …]    all of them, or those whose names have one of the texts
//
// PEBBLE and CHALLTESTSRV name the ACME server and its DNS server, PYTHON a Python; `pebble`, `pebble-challtestsrv` and `python3` if none.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { run } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Authority } from './harness/authority.mjs';

const FILES_AT_ONCE = 3;
const FILE_MS = 120_000;
const suites = fileURLToPath(new URL('suites', import.meta.url));
const texts = process.argv.length > 2 ? process.argv.slice(2) : [''];
const files = readdirSync(suites).filter((file) => file.endsWith('.test.mjs') && texts.some((text) => file.includes(text)));

const directory = mkdtempSync(path.join(tmpdir(), 'antiphon-tls-certificates-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
const servers = new Authority(directory, 'servers');
servers.server('localhost');
servers.server('other', ['DNS:other.example']);
servers.server('wildcard', ['DNS:*.wild.example']);
process.env.TLS_TESTS_DIRECTORY = directory;
// Node reads it when it starts, as the processes of the suites do from here on.
process.env.NODE_EXTRA_CA_CERTS = servers.caFile;

const counts = new Map(files.map((file) => [file, { passed: 0, failed: 0 }]));
const durations = new Map();
const begun = performance.now();
const events = run({ files: files.map((file) => path.join(suites, file)), concurrency: FILES_AT_ONCE, timeout: FILE_MS });
events.on('test:pass', (event) => count(event, 'passed'));
events.on('test:fail', (event) => {
  // A group fails with what is in it, which has been told.
  if (event.details.error?.failureType === 'subtestsFailed') return;
  count(event, 'failed');
  const cause = event.details.error?.cause ?? event.details.error;
  console.log(`FAILED ${path.basename(event.file ?? event.name)}:${event.line ?? ''} ${event.name}`);
  console.log(String(cause?.stack ?? cause).replace(/^/gm, '    '));
});
for (const end of ['test:pass', 'test:fail']) {
  // Each file has one group at its top.
  events.on(end, ({ file, name, details, nesting }) => {
    if (nesting === 0) durations.set(path.basename(file ?? name), details.duration_ms);
  });
}
events.on('test:stderr', ({ message }) => process.stderr.write(message));

function count({ file, name, details }, how) {
  const of = counts.get(path.basename(file ?? name));
  if (of && (details.type !== 'suite' || how !== 'passed')) of[how] += 1;
}

for await (const _ of events);
let failed = 0;
for (const [file, of] of counts) {
  const parts = Object.entries(of).filter(([, number]) => number > 0);
  const summary = parts.map(([how, number]) => `${number} ${how}`).join(', ') || 'NOTHING RAN';
  console.log(`  ${file}: ${summary} in ${seconds(durations.get(file) ?? 0)}`);
  failed += of.failed + (parts.length === 0 ? 1 : 0);
}
console.log(seconds(performance.now() - begun));
process.exitCode = failed > 0 || files.length === 0 ? 1 : 0;

function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}
