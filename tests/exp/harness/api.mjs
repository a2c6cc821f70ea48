// The HTTP of the network by hand, as any program can speak it.

import { createHmac } from 'node:crypto';
import { within } from '../../clients/harness/deadline.mjs';

/** A login's token: these claims, signed as the SDKs sign them, unless told otherwise. */
export function signed(claims, secret, { algorithm = 'sha256', header = { alg: 'HS256', typ: 'JWT' } } = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part(header)}.${part(claims)}`;
  return `${text}.${createHmac(algorithm, secret).update(text).digest('base64url')}`;
}

/** The claims of the JavaScript SDK. */
export function claims({ apiKey, uuid, allowPairing }, seconds = 86_400) {
  const iat = Math.round(Date.now() / 1000);
  const time = { iat, exp: iat + seconds };
  return apiKey ? { type: 'consumerApp', uuid, ...time } : { type: 'device', uuid, allowPairing, ...time };
}

/** What is asked with JSON, and how it is answered: `{ status, headers, body }`. */
export async function call(server, path, { method = 'POST', body, token, headers = {}, raw } = {}) {
  const response = await within(
    fetch(`${server.url}${path}`, {
      method,
      body: raw ?? (body === undefined ? undefined : JSON.stringify(body)),
      headers: { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }), ...headers },
    }),
    `answer to ${method} ${path}`,
  );
  const text = await response.text();
  let json;
  try {
    json = text === '' ? undefined : JSON.parse(text);
  } catch {
    throw new Error(`${method} ${path} was answered with ${response.status} and no JSON: ${text}`);
  }
  return { status: response.status, headers: response.headers, body: json };
}

/** Logs in with credentials as the SDKs take them. */
export function logIn(server, { username, password, organization, secret, apiKey, ...options }) {
  const body = username ? { username, password, organization } : { token: signed(claims({ apiKey, ...options }), secret ?? apiKey) };
  return call(server, '/api/auth/login', { body });
}

/** The token of whoever can log in. */
export async function tokenOf(server, credentials) {
  const { status, body } = await logIn(server, credentials);
  if (status !== 200) throw new Error(`the login was answered with ${status} ${JSON.stringify(body)}`);
  return body.token;
}

/** The id of a channel as the JavaScript SDK writes it. */
export function channelId(name, { org = 'scala', system = 0, consumer = 0 } = {}) {
  return Buffer.from(JSON.stringify([org, name, system, consumer])).toString('base64');
}

/** The same as the Python SDK writes it. */
export function pythonChannelId(name, flags) {
  const json = Buffer.from(channelId(name, flags), 'base64').toString();
  return Buffer.from(json.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)).toString('base64');
}

/** Broadcasts. A `timeout` of null is none. */
export function broadcast(server, token, body, { timeout = 0, ...more } = {}) {
  const query = timeout === null ? '' : `?timeout=${timeout}`;
  return call(server, `/api/networks/current/broadcasts${query}`, { token, body, ...more });
}

export function respond(server, token, body) {
  return call(server, '/api/networks/current/responses', { token, body });
}
