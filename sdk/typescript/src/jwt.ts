import { AntiphonError } from './errors.js';
import { fromBase64, toBase64 } from './core/payload.js';

/** Signs claims with HS256. The secret's characters are taken as UTF-8, which for ASCII is what every EXP client does. */
export async function signJwt(claims: object, secret: string): Promise<string> {
  const { subtle } = await webCrypto();
  const encoder = new TextEncoder();
  const text = `${base64Url(encoder.encode(JSON.stringify({ alg: 'HS256', typ: 'JWT' })))}.${base64Url(encoder.encode(JSON.stringify(claims)))}`;
  const key = await subtle.importKey('raw', encoder.encode(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  const signature = await subtle.sign('HMAC', key, encoder.encode(text));
  return `${text}.${base64Url(new Uint8Array(signature))}`;
}

/**
 * For how many milliseconds a token is good, as it says itself; `undefined` if it does not. Its issuer's clock made both ends, so that
 * it does not matter whether ours is right; without `iat`, ours counts.
 */
export function lifetimeOf(token: string, wall: number): number | undefined {
  try {
    const [, claims = ''] = token.split('.');
    const { iat, exp } = JSON.parse(new TextDecoder().decode(fromBase64(claims.replace(/-/g, '+').replace(/_/g, '/'))));
    if (typeof exp !== 'number') return undefined;
    return Math.max(0, inMilliseconds(exp) - (typeof iat === 'number' ? inMilliseconds(iat) : wall));
  } catch {
    return undefined;
  }
}

/** Random digits: `bytes` of them in hexadecimal. */
export function randomHex(bytes: number): string {
  const random = new Uint8Array(bytes);
  if (globalThis.crypto?.getRandomValues) globalThis.crypto.getRandomValues(random);
  else for (let at = 0; at < bytes; at += 1) random[at] = Math.floor(Math.random() * 256);
  return Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

// Node 18 has it, but not as a global. Browsers have it on pages that came over https, or from this machine.
async function webCrypto(): Promise<Crypto> {
  if (globalThis.crypto?.subtle) return globalThis.crypto;
  if (typeof process === 'object' && process.versions?.node) return (await import('node:crypto')).webcrypto as unknown as Crypto;
  const detail = 'this page cannot sign a login, because it did not come over https: serve it so, or give `token` in place of a secret';
  throw new AntiphonError({ type: 'unauthorized', status: 401, detail });
}

function base64Url(bytes: Uint8Array): string {
  return toBase64(bytes).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

// Some issuers write milliseconds. No time in seconds is so large before the year 5138.
function inMilliseconds(time: number): number {
  return time >= 1e11 ? time : time * 1000;
}
