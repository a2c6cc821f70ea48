// Runs a directory's suites of node:test, tells what failed, and sums up each file.

import { readdirSync } from 'node:fs';
import path from 'node:path';
import { run } from 'node:test';

/**
 * Runs the files `*.test.mjs` of a directory, or those whose names have one of the texts. The process ends with 1 if a test failed, if
 * nothing ran in a file, or if one was left out where `mayLeaveOut` does not say that it may be.
 */
export async function runSuites(directory, { filesAtOnce, fileMs, mayLeaveOut = false, texts = process.argv.slice(2) }) {
  const isWanted = (file) => texts.length === 0 || texts.some((text) => file.includes(text));
  const files = readdirSync(directory).filter((file) => file.endsWith('.test.mjs') && isWanted(file));
  const counts = new Map(files.map((file) => [file, { passed: 0, failed: 0, skipped: 0 }]));
  const durations = new Map();
  const begun = performance.now();
  const events = run({ files: files.map((file) => path.join(directory, file)), concurrency: filesAtOnce, timeout: fileMs });
  events.on('test:pass', (event) => {
    const leftOut = event.skip !== undefined || event.todo !== undefined;
    // A test that is left out has passed nothing.
    count(event, leftOut ? (mayLeaveOut ? 'skipped' : 'failed') : 'passed');
  });
  events.on('test:fail', (event) => {
    // A group fails with what is in it, which has been told.
    if (event.details.error?.failureType === 'subtestsFailed') return;
    count(event, 'failed');
    const cause = event.details.error?.cause ?? event.details.error;
    console.log(`FAILED ${fileOf(event)}:${event.line ?? ''} ${event.name}`);
    console.log(String(cause?.stack ?? cause).replace(/^/gm, '    '));
  });
  for (const end of ['test:pass', 'test:fail']) {
    events.on(end, (event) => {
      if (event.nesting > 0) return;
      durations.set(fileOf(event), (durations.get(fileOf(event)) ?? 0) + event.details.duration_ms);
    });
  }
  events.on('test:stderr', ({ message }) => process.stderr.write(message));

  function count(event, how) {
    const of = counts.get(fileOf(event));
    if (of && (event.details.type !== 'suite' || how !== 'passed')) of[how] += 1;
  }

  for await (const _ of events);
  let failed = files.length === 0 ? 1 : 0;
  for (const [file, of] of counts) {
    const parts = Object.entries(of).filter(([, number]) => number > 0);
    const summary = parts.map(([how, number]) => `${number} ${how}`).join(', ') || 'NOTHING RAN';
    console.log(`  ${file}: ${summary} in ${seconds(durations.get(file) ?? 0)}`);
    failed += of.failed + (parts.length === 0 ? 1 : 0);
  }
  console.log(seconds(performance.now() - begun));
  process.exitCode = failed > 0 ? 1 : 0;
}

function fileOf({ file, name }) {
  return path.basename(file ?? name);
}

function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}
