// Runs the suites and prints what failed, what was left out, and how many passed.
//
//   ANTIPHON_BIN=PATH node run.mjs [TEXT …]    all of them, or those whose names have one of the texts
//
// CHROMIUM names a browser, /usr/bin/chromium if none. EXP_PYTHON names a Python 2.7, EXP_PYTHONPATH the directory that has what
// python/requirements.txt names; without them, what needs Python is skipped, and the last lines say so.

import { fileURLToPath } from 'node:url';
import { runSuites } from '../support/suites.mjs';
import { MISSING } from './harness/python.mjs';

await runSuites(fileURLToPath(new URL('suites', import.meta.url)), { filesAtOnce: 3, fileMs: 120_000, mayLeaveOut: true });
if (MISSING) console.log(`SKIPPED: all that needs Python, because ${MISSING}`);
