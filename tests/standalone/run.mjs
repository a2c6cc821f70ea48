// Runs the suites and prints what failed and how many passed.
//
//   ANTIPHON_BIN=PATH node run.mjs [TEXT …]    all of them, or those whose names have one of the texts
//
// CHROMIUM names a browser for the dashboard, /usr/bin/chromium if none; SCREENSHOTS a directory for pictures of it.

import { readdirSync } from 'node:fs';
import path from 'node:path';
import { run } from 'node:test';
import { fileURLToPath } from 'node:url';

const FILES_AT_ONCE = 2;
const FILE_MS = 180_000;
const suites = fileURLToPath(new URL('suites', import.meta.url));
const texts = process.argv.length > 2 ? process.argv.slice(2) : [''];
const files = readdirSync(suites).filter((file) => file.endsWith('.test.mjs') && texts.some((text) => file.includes(text)));

const counts = new Map(files.map((file) => [file, { passed: 0, failed: 0 }]));
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
events.on('test:stderr', ({ message }) => process.stderr.write(message));

function count({ file, name, details }, what) {
  const of = counts.get(path.basename(file ?? name));
  if (of && details.type !== 'suite') of[what] += 1;
}

for await (const _ of events);
for (const [file, { passed, failed }] of counts) console.log(`${file}: ${passed} passed, ${failed} failed`);
const failed = [...counts.values()].reduce((sum, of) => sum + of.failed, 0);
const empty = [...counts].filter(([, { passed, failed }]) => passed + failed === 0).map(([file]) => file);
if (empty.length > 0) console.log(`nothing ran in ${empty.join(', ') || 'no file'}`);
process.exitCode = failed > 0 || empty.length > 0 || files.length === 0 ? 1 : 0;
