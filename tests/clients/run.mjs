// Runs the tests and prints what failed and how many passed.
//
//   node run.mjs --server PATH --conformance PATH    against our servers
//   node run.mjs --reference                         against the reference implementation, to check the tests themselves
//
//   --only TEXT       only files whose name has it; may be given several times
//   --python PATH     an interpreter that has what python/requirements.txt names; without it, its cases are skipped
//   --chromium PATH   a browser; without it, its cases are skipped
//
// SCREENSHOTS names a directory for pictures of the page, if some are wanted.

import { readdirSync } from 'node:fs';
import path from 'node:path';
import { run } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const FILES_AT_ONCE = 2;
const FILE_MS = 150_000;
const here = path.dirname(fileURLToPath(import.meta.url));

const { values: options } = parseArgs({
  options: {
    server: { type: 'string' },
    conformance: { type: 'string' },
    reference: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: [''] },
    python: { type: 'string' },
    chromium: { type: 'string' },
  },
});
if (!options.reference && !(options.server && options.conformance)) {
  throw new Error('name the servers (--server PATH --conformance PATH), or say --reference');
}

// The files run in processes of their own, which learn of it in this way.
Object.assign(process.env, {
  REFERENCE: options.reference ? '1' : '',
  TEST_SERVER: options.server ? path.resolve(options.server) : '',
  CONFORMANCE: options.conformance ? path.resolve(options.conformance) : '',
  PYTHON: options.python ?? '',
  CHROMIUM: options.chromium ?? '',
});

const files = ['protocol', 'suites']
  .flatMap((directory) => readdirSync(path.join(here, directory)).map((file) => path.join(directory, file)))
  .filter((file) => file.endsWith('.test.mjs') && options.only.some((text) => file.includes(text)));

const counts = new Map(files.map((file) => [file, { passed: 0, failed: 0, skipped: 0 }]));
const begun = performance.now();
const events = run({ files: files.map((file) => path.join(here, file)), concurrency: FILES_AT_ONCE, timeout: FILE_MS });
// Of each file, what is running at present: a group, one in it, and so on.
const running = new Map(files.map((file) => [file, []]));
events.on('test:start', (event) => {
  const names = running.get(fileOf(event));
  if (names) names[event.nesting] = event.name;
});
events.on('test:pass', (event) => count(event, event.skip === undefined ? 'passed' : 'skipped'));
events.on('test:fail', (event) => {
  // A group fails with what is in it, which has been told.
  if (event.details.error?.failureType === 'subtestsFailed') return;
  count(event, 'failed');
  const groups = running.get(fileOf(event))?.slice(0, event.nesting) ?? [];
  console.log(`FAILED ${fileOf(event)}:${event.line ?? ''} ${[...groups, event.name].join(' > ')}`);
  const cause = event.details.error?.cause ?? event.details.error;
  console.log(indented(String(cause?.stack ?? cause?.message ?? cause)));
});
events.on('test:stderr', ({ message }) => process.stderr.write(message));
for await (const _ of events);

let passed = 0;
let failed = 0;
for (const [file, each] of counts) {
  passed += each.passed;
  failed += each.failed;
  const parts = Object.entries(each).filter(([, n]) => n > 0);
  console.log(`  ${file}: ${parts.map(([what, n]) => `${n} ${what}`).join(', ') || 'nothing'}`);
  if (parts.length === 0) failed += 1;
}
console.log(`${((performance.now() - begun) / 1000).toFixed(1)} s`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

function count(event, how) {
  if (event.details.type === 'suite' && how !== 'failed') return;
  const each = counts.get(fileOf(event));
  if (each) each[how] += 1;
}

function fileOf(event) {
  return path.relative(here, event.file ?? event.name);
}

function indented(text) {
  return text
    .split('\n')
    .filter((line) => !/node:internal/.test(line))
    .slice(0, 40)
    .map((line) => `    ${line}`)
    .join('\n');
}
