// Makes certificates, runs the suites, and prints what failed and how many passed. Nothing is left.
//
//   ANTIPHON_BIN=PATH node run.mjs [TEXT …]    all of them, or those whose names have one of the texts
//
// PEBBLE and CHALLTESTSRV name the ACME server and its DNS server, PYTHON a Python; `pebble`, `pebble-challtestsrv` and `python3` if none.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { runSuites } from '../support/suites.mjs';
import { Authority } from './harness/authority.mjs';

const directory = mkdtempSync(path.join(tmpdir(), 'antiphon-tls-certificates-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
const servers = new Authority(directory, 'servers');
servers.server('localhost');
servers.server('other', ['DNS:other.example']);
servers.server('wildcard', ['DNS:*.wild.example']);
process.env.TLS_TESTS_DIRECTORY = directory;
// Node reads it when it starts, as the processes of the suites do from here on.
process.env.NODE_EXTRA_CA_CERTS = servers.caFile;

await runSuites(fileURLToPath(new URL('suites', import.meta.url)), { filesAtOnce: 3, fileMs: 120_000 });
