// Builds both forms of the package with the compiler alone: dist/esm and dist/cjs.

import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const directory = fileURLToPath(new URL('.', import.meta.url));
const compiler = fileURLToPath(new URL('node_modules/typescript/bin/tsc', import.meta.url));

rmSync(`${directory}dist`, { recursive: true, force: true });
for (const form of ['esm', 'cjs']) {
  const { status } = spawnSync(process.execPath, [compiler, '-p', `${directory}tsconfig.${form}.json`], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
// The package itself says "module"; below here the files are not.
mkdirSync(`${directory}dist/cjs`, { recursive: true });
writeFileSync(`${directory}dist/cjs/package.json`, '{ "type": "commonjs" }\n');
