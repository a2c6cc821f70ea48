// The orgs that the tests have, as configuration.

export const DEVICE = { uuid: 'test-uuid', secret: 'test-secret' };
/** Another device of the same org. */
export const SECOND = { uuid: 'second-uuid', secret: 'second-secret' };
/** An app of the same org. It and the device have one uuid. */
export const APP = { uuid: 'test-uuid', apiKey: 'test-api-key' };
export const USER = { username: 'test@test.com', password: '12345test', organization: 'scala' };
/** A device of another org. */
export const STRANGER = { uuid: 'stranger-uuid', secret: 'stranger-secret' };
/** A device that no org has. */
export const UNKNOWN = { uuid: 'unknown-uuid', secret: 'unknown-secret' };
/** API keys of the org `scala`. */
export const KEYS = { all: 'key-that-may-all', admin: 'key-that-administers' };

const ORGS = `
[[org]]
name = "scala"
allowed_origins = ["http://127.0.0.1:*"]

[[org.device]]
uuid = "test-uuid"
secret = "test-secret"

[[org.device]]
uuid = "second-uuid"
secret = "second-secret"

[[org.consumer_app]]
uuid = "test-uuid"
api_key = "test-api-key"

[[org.user]]
username = "test@test.com"
password = "12345test"

[[org.key]]
key = "key-that-may-all"
allow = ["publish", "subscribe", "history", "presence"]

[[org.key]]
key = "key-that-administers"
allow = ["admin"]

[[org]]
name = "other"

[[org.device]]
uuid = "stranger-uuid"
secret = "stranger-secret"
`;

/** A configuration with these orgs, and more before them: keys at the top and sections. */
export function configuration({ exp = '', more = '', origins = ['http://127.0.0.1:1'] } = {}) {
  const orgs = ORGS.replace('["http://127.0.0.1:*"]', JSON.stringify(origins));
  return `${more}\n[exp]\n${exp}\n${orgs}`;
}
