// Certificates as OpenSSL makes them: an authority in a directory, and whom it signs.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const CONFIGURATION = `
[ca]
default_ca = own
[own]
dir = .
database = index
serial = serial
crlnumber = crlnumber
new_certs_dir = issued
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_days = 30
default_crl_days = 30
unique_subject = no
policy = any
copy_extensions = copy
[any]
commonName = supplied
[req]
distinguished_name = name
prompt = no
[name]
CN = unused
`;

export class Authority {
  directory;

  /** An authority of this name, with all that is its own below `directory`. */
  constructor(directory, name) {
    this.directory = path.join(directory, name);
    mkdirSync(path.join(this.directory, 'issued'), { recursive: true });
    this.#write('openssl.cnf', CONFIGURATION);
    this.#write('index', '');
    this.#write('serial', '01\n');
    this.#write('crlnumber', '01\n');
    this.#key('ca.key');
    const extensions = ['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign'];
    const subject = ['-subj', `/CN=${name}`, '-days', '30', '-out', 'ca.pem'];
    this.#openssl('req', '-x509', '-config', 'openssl.cnf', '-key', 'ca.key', ...subject, ...extensions);
  }

  get caFile() {
    return path.join(this.directory, 'ca.pem');
  }

  /** Signs a certificate: `{ certFile, keyFile, cert, key }`. `names` are alternative ones, like `DNS:localhost`. */
  issue(name, { names = [], usage = 'clientAuth', dates = [] } = {}) {
    const file = (suffix) => `${name}${suffix}`;
    this.#key(file('.key'));
    const alternative = names.length > 0 ? ['-addext', `subjectAltName=${names.join(',')}`] : [];
    const request = ['-key', file('.key'), '-subj', `/CN=${name}`, '-out', file('.csr')];
    this.#openssl('req', '-new', '-config', 'openssl.cnf', ...request, '-addext', `extendedKeyUsage=${usage}`, ...alternative);
    const [from, to] = dates;
    const between = from ? ['-startdate', from, '-enddate', to] : [];
    this.#openssl('ca', '-batch', '-notext', '-config', 'openssl.cnf', '-in', file('.csr'), '-out', file('.pem'), ...between);
    const [certFile, keyFile] = [file('.pem'), file('.key')].map((name) => path.join(this.directory, name));
    return { certFile, keyFile, cert: readFileSync(certFile), key: readFileSync(keyFile) };
  }

  /** A certificate that localhost shows. */
  server(name = 'server', names = ['DNS:localhost', 'IP:127.0.0.1']) {
    return this.issue(name, { names, usage: 'serverAuth' });
  }

  revoke({ certFile }) {
    this.#openssl('ca', '-config', 'openssl.cnf', '-revoke', certFile);
  }

  /** Writes the list of what is revoked, and says where. */
  revocationList() {
    this.#openssl('ca', '-config', 'openssl.cnf', '-gencrl', '-out', 'crl.pem');
    return path.join(this.directory, 'crl.pem');
  }

  #key(file) {
    this.#openssl('ecparam', '-genkey', '-noout', '-name', 'prime256v1', '-out', file);
  }

  #write(file, text) {
    writeFileSync(path.join(this.directory, file), text);
  }

  #openssl(...args) {
    execFileSync('openssl', args, { cwd: this.directory, stdio: ['ignore', 'ignore', 'pipe'] });
  }
}

/** The authority of all servers of this run, which the processes of the suites trust: see run.mjs. */
export function shared() {
  const directory = process.env.TLS_TESTS_DIRECTORY;
  if (!directory) throw new Error('start the suites with run.mjs, which makes their certificates');
  const read = (name) => {
    const [certFile, keyFile] = ['.pem', '.key'].map((suffix) => path.join(directory, 'servers', `${name}${suffix}`));
    return { certFile, keyFile, cert: readFileSync(certFile), key: readFileSync(keyFile) };
  };
  const caFile = path.join(directory, 'servers', 'ca.pem');
  return { directory, caFile, ca: readFileSync(caFile), localhost: read('localhost'), other: read('other'), wildcard: read('wildcard') };
}
