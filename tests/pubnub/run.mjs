// Runs the suites and prints what failed and how many passed.
//
//   ANTIPHON_BIN=PATH node run.mjs [TEXT …]    all of them, or those whose names have one of the texts
//
// CHROMIUM names a browser, /usr/bin/chromium if none.

import { fileURLToPath } from 'node:url';
import { runSuites } from '../support/suites.mjs';

await runSuites(fileURLToPath(new URL('suites', import.meta.url)), { filesAtOnce: 4, fileMs: 80_000 });
