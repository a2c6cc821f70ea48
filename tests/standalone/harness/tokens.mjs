// JWTs, signed as a web application would do it.

import { createHmac } from 'node:crypto';

export const SECRET = 'the-secret-that-the-tests-sign-with-0123456789';

/** A token with these claims that ends in so many seconds. */
export function token({ seconds = 3600, ...claims } = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + seconds;
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ exp, ...claims })}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}

/** An org with an API key for each of these lists of permissions, by name, and with tokens. */
export function org(name, keys = {}, more = '') {
  const each = Object.entries(keys).map(
    ([key, { allow, channels = ['*'], identity }]) =>
      `[[org.key]]\nkey = ${JSON.stringify(key)}\nallow = ${JSON.stringify(allow)}\nchannels = ${JSON.stringify(channels)}\n` +
      (identity ? `identity = ${JSON.stringify(identity)}\n` : ''),
  );
  const jwt = `[[org.jwt]]\nalgorithm = "HS256"\nsecret = ${JSON.stringify(SECRET)}\n`;
  return `[[org]]\nname = ${JSON.stringify(name)}\n${more}\n${each.join('')}${jwt}`;
}

export const ALL = ['publish', 'subscribe', 'history', 'presence'];
