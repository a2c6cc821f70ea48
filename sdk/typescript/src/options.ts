import { AntiphonError } from './errors.js';

/** A token, or a function that gives one: then it is asked again when the token is at half of its lifetime, or was refused. */
export type TokenOption = string | (() => GivenToken | Promise<GivenToken>);

/** A token; `expires` is when it ends, in milliseconds since 1970. A JWT says so itself. */
export type GivenToken = string | { token: string; expires?: number };

/** What to connect with. Durations are in milliseconds. */
export interface ConnectOptions {
  /** Where the server is: `http://127.0.0.1:8080`. `https:`, `ws:` and `wss:` do as well, and a path before `/v1` and `/api`. */
  url: string;
  /** An API key or JWT. At most one of `token`, `device`, `consumerApp` and `user`; none is for an org that is open. */
  token?: TokenOption;
  /** Log in as a device. */
  device?: { uuid: string; secret: string };
  /** Log in as a consumer app. */
  consumerApp?: { uuid: string; apiKey: string };
  /** Log in as a user. */
  user?: { username: string; password: string; organization?: string };
  /** Who this is, where the credential does not say. Default: `anon-` and something random. */
  identity?: string;
  /** For how long `connect` tries before it gives up. Default: 30 s. `Infinity` is as long as it takes. */
  connectTimeout?: number;
  /** How long one attempt may take. Default: 10 s. */
  attemptTimeout?: number;
  /** The shortest pause between attempts, which doubles with each failure. Default: 500 ms. */
  backoffMin?: number;
  /** The longest. Default: 30 s. */
  backoffMax?: number;
  /** After how long a silence the server is asked whether it is there. Default: 25 s. */
  heartbeatInterval?: number;
  /** How long it has to say so. Default: 10 s. */
  heartbeatTimeout?: number;
  /** How many requests may wait for an answer, while there is no connection or it is slow. Default: 10,000. */
  queueMax?: number;
  /** How many bytes they may have in all. Default: 16 MiB. */
  queueBytesMax?: number;
  /** The longest message: the server's `message_bytes_max`. Default: 1 MiB and 4 KiB. */
  messageBytesMax?: number;
  /** Gives up connecting. */
  signal?: AbortSignal;
}

/** [`ConnectOptions`] with all defaults. */
export type Options = ConnectOptions & Required<Pick<ConnectOptions, keyof typeof DEFAULTS>> & { base: string };

/** The default of `connectTimeout`. */
export const CONNECT_TIMEOUT = 30_000;

const DEFAULTS = {
  connectTimeout: CONNECT_TIMEOUT,
  attemptTimeout: 10_000,
  backoffMin: 500,
  backoffMax: 30_000,
  heartbeatInterval: 25_000,
  heartbeatTimeout: 10_000,
  queueMax: 10_000,
  queueBytesMax: 16 * 1024 * 1024,
  messageBytesMax: 1024 * 1024 + 4096,
};

/** Checks options and fills in the defaults. Throws an `AntiphonError` of type `invalid-parameter`. */
export function withDefaults(given: ConnectOptions): Options {
  const options = { ...DEFAULTS, ...dropUndefined(given), base: baseOf(given.url) };
  for (const name of Object.keys(DEFAULTS) as (keyof typeof DEFAULTS)[]) {
    if (typeof options[name] !== 'number' || !(options[name] > 0)) throw invalid(name, `${name} has to be a number above 0`);
  }
  const credentials = (['token', 'device', 'consumerApp', 'user'] as const).filter((name) => options[name] !== undefined);
  if (credentials.length > 1) throw invalid(credentials[1] as string, `give ${credentials.join(' or ')}, not both`);
  return options;
}

function dropUndefined(given: ConnectOptions): ConnectOptions {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as unknown as ConnectOptions;
}

/** The URL over HTTP, without a slash at its end. */
function baseOf(url: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw invalid('url', 'url has to be one like http://127.0.0.1:8080');
  }
  const scheme = { 'http:': 'http:', 'ws:': 'http:', 'https:': 'https:', 'wss:': 'https:' }[parsed.protocol];
  if (scheme === undefined) throw invalid('url', 'url has to begin with http:, https:, ws: or wss:');
  return `${scheme}//${parsed.host}${parsed.pathname.replace(/\/+$/, '')}`;
}

export function invalid(parameter: string, detail: string): AntiphonError {
  return new AntiphonError({ type: 'invalid-parameter', parameter, detail });
}
