// The orgs that the tests have, as configuration, and the ways in which their clients come.

const keyset = (name) => ({ publishKey: `pub-${name}`, subscribeKey: `sub-${name}`, secretKey: `secret-of-${name}` });

/** One without access manager, and without a secret key. */
export const PLAIN = keyset('plain');
/** One whose clients come with a token that permits everything. */
export const TOKENS = keyset('tokens');
/** One whose clients sign what they ask. */
export const SIGNED = keyset('signed');
/** One where clients are granted no more than a test says. */
export const STRICT = keyset('strict');

/** What a client has to present so that it may do everything: every part of the API is used in each of these ways. */
export const WAYS = [
  { name: 'without access manager', keyset: PLAIN },
  { name: 'with a token', keyset: TOKENS, token: true },
  { name: 'with the secret key', keyset: SIGNED, secret: true },
];

/** A key of each of these orgs for clients of the other protocols. */
export const KEY = 'key-that-may-all';

/** A configuration with these orgs, and more before them: keys at the top and sections. */
export function configuration(more = '') {
  const orgs = ['plain', 'tokens', 'signed', 'strict'].map(
    (name) => `
[[org]]
name = "${name}"
publish_key = "pub-${name}"
subscribe_key = "sub-${name}"
${name === 'plain' ? '' : `secret_key = "secret-of-${name}"\naccess_manager = true`}
${name === 'plain' ? DEVICE : ''}`,
  );
  return `${more}\n${orgs.join('')}`;
}

const DEVICE = `
[[org.device]]
uuid = "device"
secret = "secret-of-the-device"

[[org.key]]
key = "${KEY}"
allow = ["publish", "subscribe", "history", "presence"]
`;
