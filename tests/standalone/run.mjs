// Runs the suites and prints what failed and how many passed.
//
//   ANTIPHON_BIN=PATH node run.mjs [TEXT …]    all of them, or those whose names have one of the texts
//
// CHROMIUM names a browser for the dashboard, /usr/bin/chromium if none; SCREENSHOTS a directory for pictures of it.

import { fileURLToPath } from 'node:url';
import { runSuites } from '../support/suites.mjs';

await runSuites(fileURLToPath(new URL('suites', import.meta.url)), { filesAtOnce: 2, fileMs: 180_000 });
