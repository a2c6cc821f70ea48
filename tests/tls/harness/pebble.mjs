// An ACME server as its makers test theirs with: pebble, with a DNS server that says of every name that it is here.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { within } from '../../clients/harness/deadline.mjs';
import { shared } from './authority.mjs';

/** Ports that nobody has, for programs that cannot take a free one by themselves. */
export async function freePorts(count) {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = net.createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  return ports;
}

export class Pebble {
  /** Where it is, and where it looks for the domains. */
  #port;
  #management;
  httpPort;
  tlsPort;
  #directory;
  #processes = [];
  #said = '';

  /** `life` is that of its certificates in seconds, `accounts` the external ones that it wants, by name. */
  static async start(t, { life = 7_776_000, accounts, environment = {} } = {}) {
    const pebble = new Pebble();
    t.after(() => pebble.stop());
    pebble.#directory = await mkdtemp(path.join(tmpdir(), 'antiphon-pebble-'));
    const [port, management, httpPort, tlsPort, dns, dnsManagement] = await freePorts(6);
    Object.assign(pebble, { httpPort, tlsPort });
    [pebble.#port, pebble.#management] = [port, management];
    const { localhost } = shared();
    const configuration = {
      listenAddress: `127.0.0.1:${port}`,
      managementListenAddress: `127.0.0.1:${management}`,
      certificate: localhost.certFile,
      privateKey: localhost.keyFile,
      httpPort,
      tlsPort,
      ocspResponderURL: '',
      certificateValidityPeriod: life,
      externalAccountBindingRequired: accounts !== undefined,
      ...(accounts && { externalAccountMACKeys: accounts }),
    };
    const file = path.join(pebble.#directory, 'pebble.json');
    await writeFile(file, JSON.stringify({ pebble: configuration }));
    const off = ['-http01', '', '-https01', '', '-tlsalpn01', ''];
    const resolver = ['-dns01', `127.0.0.1:${dns}`, '-management', `127.0.0.1:${dnsManagement}`, '-defaultIPv4', '127.0.0.1', '-defaultIPv6', ''];
    await pebble.#run(process.env.CHALLTESTSRV ?? 'pebble-challtestsrv', [...resolver, ...off], dnsManagement);
    const args = ['-config', file, '-dnsserver', `127.0.0.1:${dns}`];
    await pebble.#run(process.env.PEBBLE ?? 'pebble', args, port, { PEBBLE_VA_NOSLEEP: '1', ...environment });
    return pebble;
  }

  get url() {
    return `https://localhost:${this.#port}/dir`;
  }

  get said() {
    return this.#said;
  }

  /** The root of what it signs, in PEM. It is another one each time that it starts. */
  async root() {
    const answer = new Promise((resolve, reject) => {
      const request = https.get({ host: 'localhost', port: this.#management, path: '/roots/0', ca: shared().ca }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (more) => (text += more));
        response.on('end', () => resolve(text));
      });
      request.on('error', reject);
    });
    return within(answer, 'root of the ACME server');
  }

  /** How many orders it was given. */
  get orders() {
    return [...this.#said.matchAll(/Added order /g)].length;
  }

  async stop() {
    for (const child of this.#processes) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await within(exited, 'end of the ACME server');
    }
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #run(program, args, port, environment = {}) {
    const child = spawn(program, args, { env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#processes.push(child);
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (this.#said += text));
    const failed = new Promise((_, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`${program} ended with ${code}: ${this.#said}`)));
    });
    failed.catch(() => {});
    await Promise.race([failed, within(listens(port), () => `${program} on ${port}: ${this.#said}`)]);
  }
}

/** Until something listens there: programs of others do not say when. */
async function listens(port) {
  for (;;) {
    const socket = net.connect(port, '127.0.0.1');
    const connected = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (connected) return;
    await new Promise((again) => setTimeout(again, 20));
  }
}
