// Runs the suites and prints what failed and how many passed.
//
//   ANTIPHON_BIN=PATH node run.mjs [TEXT …]    all of them, or those whose names have one of the texts
//
// CHROMIUM names a browser, /usr/bin/chromium if none.

import { readdirSync } from 'node:fs';
import path from 'node:path';
import { run } from 'node:test';
import { fileURLToPath } from 'node:url';

const FILES_AT_ONCE = 4;
const FILE_MS = 80_000;
const suites = fileURLToPath(new URL('suites', import.meta.url));
const texts = process.argv.length > 2 ? process.argv.slice(2) : [''];
const files = readdirSync(suites).filter((file) => file.endsWith('.test.mjs') && texts.some((text) => file.includes(text)));

const counts = new Map(files.map((file) => [file, { passed: 0, failed: 0 }]));
const begun = performance.now();
const durations = new Map();
const events = run({ files: files.map((file) => path.join(suites, file)), concurrency: FILES_AT_ONCE, timeout: FILE_MS });
events.on('test:pass', (event) => {
  // A test that is left out has passed nothing.
  count(event, event.skip === undefined && event.todo === undefined ? 'passed' : 'failed');
});
events.on('test:fail', (event) => {
  // A group fails with what is in it, which has been told.
  if (event.details.error?.failureType === 'subtestsFailed') return;
  count(event, 'failed');
  const cause = event.details.error?.cause ?? event.details.error;
  console.log(`FAILED ${path.basename(event.file ?? event.name)}:${event.line ?? ''} ${event.name}`);
  console.log(String(cause?.stack ?? cause).replace(/^/gm, '    '));
});
for (const end of ['test:pass', 'test:fail']) {
  events.on(end, ({ file, name, details, nesting }) => {
    const of = path.basename(file ?? name);
    if (nesting === 0) durations.set(of, (durations.get(of) ?? 0) + details.duration_ms);
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
