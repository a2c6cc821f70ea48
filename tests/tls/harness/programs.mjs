// Programs as people call them from a shell.

import { spawn } from 'node:child_process';
import { within } from '../../clients/harness/deadline.mjs';
import { shared } from './authority.mjs';
import { binary } from './server.mjs';

/** Runs a program to its end: `{ code, out, err }`. */
export async function run(program, args, { input, env } = {}) {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (err += text));
  // Whoever does not read its input to the end is not to be held against us.
  child.stdin.on('error', () => {});
  child.stdin.end(input ?? '');
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  try {
    const code = await within(ended, () => `end of ${program} ${args.join(' ')}, which said ${out}${err}`, 20_000);
    return { code, out, err };
  } finally {
    child.kill('SIGKILL');
  }
}

/** A handshake by OpenSSL: what it printed, both ways. */
export async function handshake(server, args = [], input = '') {
  const place = ['-connect', `127.0.0.1:${server.port}`, '-CAfile', shared().caFile];
  const name = args.includes('-servername') || args.includes('-noservername') ? [] : ['-servername', 'localhost'];
  const { out, err } = await run('openssl', ['s_client', ...place, ...name, ...args], { input });
  return out + err;
}

/** curl, whose failure is one. `write` is its --write-out, printed after the answer. */
export async function curl(args) {
  const { code, out, err } = await run('curl', ['--silent', '--show-error', '--cacert', shared().caFile, ...args]);
  if (code !== 0) throw new Error(`curl ${args.join(' ')}: ${code} ${err}`);
  return out;
}

/** A command of the binary. */
export function antiphon(args) {
  return run(binary(), args, { env: { ANTIPHON_CA_FILE: shared().caFile } });
}
