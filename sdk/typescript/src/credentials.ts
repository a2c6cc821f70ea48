import type { Renewal } from './core/action.js';
import type { Credential, CredentialKind } from './core/credential.js';
import { AntiphonError } from './errors.js';
import { requestJson } from './http.js';
import { lifetimeOf, signJwt } from './jwt.js';
import type { GivenToken, Options } from './options.js';

/** For how long the token is good that a device or an app logs in with. Long, because its clock may be wrong. */
const LOGIN_SECONDS = 24 * 60 * 60;

/** Where the client's credentials come from. */
export interface CredentialSource {
  kind: CredentialKind;
  /** The token of the settings, if they have one. */
  token: string | undefined;
  /** Gets a token, with the old one if it is to be refreshed. Rejects with an `AntiphonError`. */
  fetch(renewal: Renewal, token: string | undefined): Promise<Credential>;
}

export function credentialSource(options: Options): CredentialSource {
  const { token } = options;
  if (typeof token === 'function') return { kind: 'renewable', token: undefined, fetch: () => ask(token) };
  const login = loginOf(options);
  if (login) {
    const fetch = async (renewal: Renewal, old: string | undefined) => {
      return renewal === 'refresh' && old !== undefined ? refresh(options, old) : logIn(options, await login());
    };
    return { kind: 'renewable', token: undefined, fetch };
  }
  // There is nothing to get, and nobody asks.
  return { kind: 'fixed', token, fetch: () => Promise.reject(new AntiphonError({ type: 'unauthorized', detail: 'a token cannot be renewed' })) };
}

/** What makes the body of a login. */
function loginOf({ device, consumerApp, user }: Options): (() => Promise<object> | object) | undefined {
  if (user) {
    const { username, password, organization } = user;
    return () => ({ type: 'user', username, password, ...(organization !== undefined && { organization }) });
  }
  if (device) return () => signed('device', device.uuid, device.secret);
  if (consumerApp) return () => signed('consumerApp', consumerApp.uuid, consumerApp.apiKey);
  return undefined;
}

async function signed(type: string, uuid: string, secret: string): Promise<object> {
  const iat = Math.floor(Date.now() / 1000);
  return { type, token: await signJwt({ type, uuid, iat, exp: iat + LOGIN_SECONDS }, secret) };
}

async function logIn({ base, attemptTimeout }: Options, body: object): Promise<Credential> {
  const headers = { 'content-type': 'application/json' };
  return answered(await requestJson(`${base}/api/auth/login`, { method: 'POST', headers, body: JSON.stringify(body), timeout: attemptTimeout }));
}

async function refresh({ base, attemptTimeout }: Options, token: string): Promise<Credential> {
  const headers = { authorization: `Bearer ${token}` };
  return answered(await requestJson(`${base}/api/auth/token`, { method: 'POST', headers, timeout: attemptTimeout }));
}

/** Reads the answer to a login: `{token, expiration}`. */
function answered(answer: unknown): Credential {
  const { token, expiration } = (answer ?? {}) as { token?: unknown; expiration?: unknown };
  if (typeof token !== 'string') throw new AntiphonError({ type: 'protocol', detail: 'the login was answered without a token' });
  return credential(token, typeof expiration === 'number' ? expiration : undefined);
}

async function ask(give: () => GivenToken | Promise<GivenToken>): Promise<Credential> {
  try {
    const given = await give();
    if (typeof given === 'string') return credential(given, undefined);
    if (typeof given?.token === 'string') return credential(given.token, given.expires);
  } catch (cause) {
    if (cause instanceof AntiphonError) throw cause;
    const detail = `the function \`token\` failed: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new AntiphonError({ type: 'unreachable', detail, cause });
  }
  throw new AntiphonError({ type: 'invalid-parameter', status: 400, parameter: 'token', detail: 'the function `token` has to give a string or {token, expires}' });
}

function credential(token: string, expires: number | undefined): Credential {
  const wall = Date.now();
  return { token, lifetime: lifetimeOf(token, wall) ?? (expires === undefined ? undefined : Math.max(0, expires - wall)) };
}
