// Logins and their tokens, by hand: what each SDK sends, and what others might.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Server } from '../../standalone/harness/server.mjs';
import { broadcast, call, channelId, claims, logIn, signed, tokenOf } from '../harness/api.mjs';
import { APP, DEVICE, KEYS, STRANGER, UNKNOWN, USER, configuration } from '../harness/config.mjs';

const LIFETIME_MS = 90_000;
const ORIGIN = 'https://app.example.com';

describe('a login', { concurrency: 8 }, () => {
  let server;
  before(async () => {
    const exp = `broadcast_timeout = "200ms"\ntoken_lifetime = "${LIFETIME_MS}ms"`;
    server = await Server.start(undefined, configuration({ exp, origins: [ORIGIN] }));
  });
  after(() => server?.stop());

  const seconds = () => Math.round(Date.now() / 1000);
  const login = (body, more) => call(server, '/api/auth/login', { body, ...more });
  const device = (claims, secret = DEVICE.secret, how) => login({ token: signed(claims, secret, how) });

  const PASSES = {
    'of the JavaScript SDK': () => device({ type: 'device', uuid: DEVICE.uuid, iat: seconds(), exp: seconds() + 86_400 }),
    'of the Python SDK, with milliseconds': () => device({ uuid: DEVICE.uuid, type: 'device', allowPairing: null, exp: (seconds() + 30) * 1000 }),
    'with the type that the documentation has': () => login({ type: 'device', token: signed(claims(DEVICE), DEVICE.secret) }),
    'of a device that may pair, and need not': () => device({ ...claims(DEVICE), allowPairing: true }),
    'of a device whose clock is a little late': () => device({ ...claims(DEVICE, -20) }),
    'of an app by the JavaScript SDK': () => device(claims(APP), APP.apiKey),
    'of an app by the Python SDK': () => device({ type: 'consumerApp', uuid: APP.uuid, exp: (seconds() + 30) * 1000 }, APP.apiKey),
    'of a user by the JavaScript SDK': () => login({ type: 'user', ...USER }),
    'of a user by the Python SDK': () => login(USER),
    'of a user who names no organization': () => login({ username: USER.username, password: USER.password }),
    'with another order of claims and spaces': () => device({ exp: seconds() + 60, allowPairing: false, uuid: DEVICE.uuid, more: [1], type: 'device' }),
  };
  for (const [what, logIn] of Object.entries(PASSES)) {
    test(`${what} is let in`, async () => {
      const asked = Date.now();
      const { status, headers, body } = await logIn();
      assert.equal(status, 200, JSON.stringify(body));
      assert.match(headers.get('content-type'), /^application\/json/);
      assert.match(headers.get('cache-control') ?? '', /no-store/);
      assert.deepEqual(Object.keys(body).sort(), ['api', 'expiration', 'identity', 'network', 'restrictedToken', 'token']);
      assert.ok(Number.isInteger(body.expiration));
      assert.ok(Math.abs(body.expiration - asked - LIFETIME_MS) < 10_000, `it ends in ${body.expiration - asked} ms`);
      assert.deepEqual([body.api, body.network], [{ host: server.url }, { host: server.url }]);
      const { organization, isPairing, connectionId, role, ...who } = body.identity;
      assert.deepEqual([organization, isPairing ?? false], ['scala', false]);
      assert.ok(role === null || role === undefined || typeof role === 'object' || typeof role === 'string');
      assert.equal(typeof connectionId, 'string');
      const expected = what.includes('user')
        ? { type: 'user', username: USER.username }
        : { type: what.includes('app') ? 'consumerApp' : 'device', uuid: 'test-uuid' };
      assert.deepEqual(who, expected);
      assert.equal((await broadcast(server, body.token, { name: 'n', channel: channelId(what, { consumer: 1 }) })).status, 200);
    });
  }

  const REFUSED = {
    'with another secret': () => device(claims(DEVICE), 'another-secret'),
    'of a device with the key of the app of its name': () => device(claims(DEVICE), APP.apiKey),
    'of an app with the secret of the device of its name': () => device({ type: 'consumerApp', uuid: APP.uuid, exp: seconds() + 60 }, DEVICE.secret),
    'of nobody that is known': () => device(claims(UNKNOWN), UNKNOWN.secret),
    'of a device with the secret of one of another org': () => device(claims(DEVICE), STRANGER.secret),
    'that ended an hour ago': () => device(claims(DEVICE, -3600)),
    'that ended an hour ago, in milliseconds': () => device({ ...claims(DEVICE), exp: (seconds() - 3600) * 1000 }),
    'that is not signed': () => login({ token: `${signed(claims(DEVICE), 'x', { header: { alg: 'none' } }).replace(/[^.]*$/, '')}` }),
    'that says it is signed by nothing': () => device(claims(DEVICE), DEVICE.secret, { header: { alg: 'none', typ: 'JWT' } }),
    'that is signed in another way than it says': () => device(claims(DEVICE), DEVICE.secret, { algorithm: 'sha512' }),
    'without a name': () => device({ type: 'device', exp: seconds() + 60 }),
    'of the name that the Python SDK has for none': () => device({ type: 'device', uuid: '_', allowPairing: null, exp: (seconds() + 30) * 1000 }, '_'),
    'of an app that would like to pair': () => device({ type: 'consumerApp', uuid: 'none', allowPairing: true, exp: seconds() + 60 }, '_'),
    'of a user with another password': () => login({ ...USER, password: 'another' }),
    'of a user with no password': () => login({ ...USER, password: '' }),
    'of a user that nobody knows': () => login({ ...USER, username: 'nobody' }),
    'of a user of another organization': () => login({ ...USER, organization: 'other' }),
    'of a user of an organization that is none': () => login({ ...USER, organization: 'nowhere' }),
    'with a token of this server': async () => login({ token: await tokenOf(server, DEVICE) }),
  };
  for (const [what, logIn] of Object.entries(REFUSED)) {
    test(`${what} is refused`, async () => {
      const { status, body } = await logIn();
      assert.equal(status, 401, JSON.stringify(body));
      refusal(body);
    });
  }

  test('that is none is a fault', async () => {
    const faults = [{ raw: '' }, { raw: 'no json' }, { raw: '{' }, { raw: '[]' }, { raw: 'null' }, { body: {} }, { body: { username: 1, password: [] } }, { body: { token: 7 } }];
    for (const fault of faults) {
      const { status, body } = await call(server, '/api/auth/login', fault);
      assert.ok([400, 401, 422].includes(status), `${JSON.stringify(fault)}: ${status}`);
      refusal(body);
    }
    const { status, body } = await call(server, '/api/auth/login', { raw: `{"token":"${'x'.repeat(5_000_000)}"}` });
    assert.ok([401, 413].includes(status), String(status));
    refusal(body);
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const { status, body } = await call(server, '/api/auth/login', { method });
      assert.equal(status, 405);
      refusal(body);
    }
  });

  test('of a device that waits for pairing', async () => {
    const forms = [
      [{ type: 'device', allowPairing: true, iat: seconds(), exp: seconds() + 86_400 }, '_'],
      [{ type: 'device', uuid: '_', allowPairing: true, exp: (seconds() + 30) * 1000 }, '_'],
      [{ ...claims(UNKNOWN), allowPairing: true }, UNKNOWN.secret],
      [{ ...claims(DEVICE), allowPairing: true }, 'another-secret'],
    ];
    for (const [claims, secret] of forms) {
      const { status, body } = await device(claims, secret);
      assert.equal(status, 200, JSON.stringify(body));
      const { identity, token, expiration, restrictedToken } = body;
      assert.deepEqual([identity.isPairing, identity.type, 'organization' in identity, identity.organization], [true, 'device', true, null]);
      assert.ok(expiration > Date.now() && restrictedToken.length > 0);
      // It is good for nothing, and that is no reason to log in once more.
      const refused = await broadcast(server, token, { name: 'n', channel: channelId('pairing') });
      assert.equal(refused.status, 403);
      refusal(refused.body);
      const again = await call(server, '/api/auth/token', { token });
      assert.deepEqual([again.status, again.body.identity], [200, identity]);
    }
  });

  test('gives tokens that can be exchanged for others', async () => {
    const first = (await logIn(server, DEVICE)).body;
    for (const headers of [{}, { 'Content-Type': 'text/plain' }]) {
      // The SDKs send no body, JavaScript's says all the same that it were JSON.
      const { status, body } = await call(server, '/api/auth/token', { token: first.token, headers });
      assert.equal(status, 200, JSON.stringify(body));
      assert.deepEqual(Object.keys(body).sort(), Object.keys(first).sort());
      assert.deepEqual(body.identity, first.identity);
      assert.ok(body.expiration >= first.expiration);
      assert.equal((await broadcast(server, body.token, { name: 'n', channel: channelId('exchanged') })).status, 200);
    }
    const other = (await logIn(server, DEVICE)).body;
    assert.notEqual(other.identity.connectionId, first.identity.connectionId);
  });

  test('is needed for another token', async () => {
    const { token, restrictedToken } = (await logIn(server, DEVICE)).body;
    const bad = [undefined, 'no-token', `${token.slice(0, -4)}AAAA`, signed(claims(DEVICE), DEVICE.secret), KEYS.all];
    for (const token of bad) {
      const { status, body } = await call(server, '/api/auth/token', { token });
      assert.equal(status, 401, `${token}: ${JSON.stringify(body)}`);
      refusal(body);
    }
    // One that may only listen does not become one that may more.
    const { status, body } = await call(server, '/api/auth/token', { token: restrictedToken });
    assert.ok([401, 403].includes(status), JSON.stringify(body));
  });

  test('gives a token that may only listen beside it', async () => {
    const { restrictedToken } = (await logIn(server, DEVICE)).body;
    const { status, body } = await broadcast(server, restrictedToken, { name: 'n', channel: channelId('restricted') });
    assert.deepEqual([status, body.code], [403, 'not-permitted']);
    const events = await fetch(`${server.url}/v1/channels/restricted?limit=1`, { headers: { Authorization: `Bearer ${restrictedToken}` } });
    assert.ok([200, 403].includes(events.status));
  });

  test('by a page of an origin that is allowed', async () => {
    const headers = { Origin: ORIGIN, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization,content-type' };
    for (const path of ['/api/auth/login', '/api/auth/token', '/api/networks/current/broadcasts', '/api/networks/current/responses']) {
      const { status, headers: answered } = await call(server, path, { method: 'OPTIONS', headers });
      assert.ok([200, 204].includes(status), `${path}: ${status}`);
      assert.equal(answered.get('access-control-allow-origin'), ORIGIN);
      assert.equal(answered.get('access-control-allow-credentials'), 'true');
      for (const header of ['authorization', 'content-type']) {
        assert.ok(answered.get('access-control-allow-headers').toLowerCase().includes(header));
      }
      assert.match(answered.get('access-control-allow-methods'), /POST/);
      assert.match(answered.get('vary') ?? '', /origin/i);
    }
    for (const answer of [await login(USER, { headers: { Origin: ORIGIN } }), await login({ ...USER, password: 'another' }, { headers: { Origin: ORIGIN } })]) {
      assert.equal(answer.headers.get('access-control-allow-origin'), ORIGIN);
      assert.equal(answer.headers.get('access-control-allow-credentials'), 'true');
    }
  });

  test('by a page of another origin', async () => {
    const headers = { Origin: 'https://evil.example.com' };
    const token = await tokenOf(server, DEVICE);
    const answers = [
      await login(USER, { headers }),
      await call(server, '/api/networks/current/broadcasts', { token, headers, body: { name: 'n', channel: channelId('c') } }),
      await call(server, '/api/auth/login', { method: 'OPTIONS', headers: { ...headers, 'Access-Control-Request-Method': 'POST' } }),
    ];
    for (const { headers } of answers) {
      assert.ok(![headers.get('access-control-allow-origin')].some((allowed) => allowed === '*' || allowed === 'https://evil.example.com'));
    }
    // The SDK on Node says where it would connect to, which is no origin.
    assert.equal((await login(USER, { headers: { Origin: '127.0.0.1:19000' } })).status, 200);
  });

  test('gives no tokens that overflow the timer of the JavaScript SDK', async (t) => {
    const said = await Server.refusal(t, configuration({ exp: 'token_lifetime = "50d"' }));
    assert.match(said, /token_lifetime/);
  });

  test('and what is out of scope', async () => {
    const token = await tokenOf(server, DEVICE);
    for (const path of ['/api/devices', '/api/things/1', '/api/connectors/feeds', '/api/data/a/b', '/api/nothing']) {
      const { status, body } = await call(server, path, { method: 'GET', token });
      assert.equal(status, 404, path);
      refusal(body);
    }
  });
});

/** What a refusal has to say: the Python SDK shows nothing of one that is no JSON. */
function refusal(body) {
  assert.match(body?.code ?? '', /^[a-z-]+$/, JSON.stringify(body));
  assert.ok(typeof body.message === 'string' && body.message.length > 5, JSON.stringify(body));
}
