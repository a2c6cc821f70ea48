// What becomes of an SDK in time: tokens that end, connections that drop, servers that die, devices that become known.
//
// Each case is given the test and `{ sdk, server, hasty, configure }`; the server `hasty` gives tokens that end soon.

import assert from 'node:assert/strict';
import { Server } from '../../standalone/harness/server.mjs';
import { within } from '../../clients/harness/deadline.mjs';
import { broadcast as broadcastByHand, call, channelId, logIn, tokenOf } from './api.mjs';
import { both, online } from './cases.mjs';
import { DEVICE, KEYS, SECOND, UNKNOWN } from './config.mjs';
import { Gate } from './gate.mjs';

/** The SDKs ask for the next token after a half of it; Python's after three quarters, in whole seconds, which of less is too late at times. */
export const TOKEN_LIFETIME = '6s';
const REFRESHED_MS = 15_000;
let asked = 0;

export const LIFECYCLES = {
  async 'gets new tokens, and hears what comes with each'(t, { sdk, hasty: server }) {
    const exp = await online(t, { sdk, server }, DEVICE);
    const channel = { name: t.name };
    const listener = await exp.listen(channel, 'n');
    const first = await exp.auth();
    const second = await another(exp, first);
    const third = await another(exp, second);
    for (const auth of [second, third]) {
      assert.deepEqual(auth.identity, first.identity);
      assert.ok(auth.expiration > first.expiration);
    }
    await heard(server, channel, listener);
    // Its application is not disturbed either.
    assert.deepEqual(await exp.broadcast(channel, 'other', {}, 0), []);
  },

  async 'hears again when its connection has dropped'(t, { sdk, server }) {
    const gate = await Gate.to(t, server.url);
    const exp = await online(t, { sdk, server: gate }, DEVICE);
    const channel = { name: t.name };
    const listener = await exp.listen(channel, 'n');
    for (let time = 0; time < 2; time++) {
      gate.cut();
      await heard(server, channel, listener);
    }
  },

  async 'hears again when the server was killed and has come back'(t, { sdk, configure }) {
    const server = await Server.start(t, configure());
    const gate = await Gate.to(t, server.url);
    const [one, two] = await both(t, { sdk, server: gate });
    const channels = [{ name: t.name }, { name: 'Grüße' }, { name: t.name, consumer: true }];
    const listeners = await Promise.all(channels.map((channel) => one.listen(channel, 'n')));
    const { token } = await one.auth();
    await server.kill();
    await server.restart();
    for (const [n, channel] of channels.entries()) await heard(server, channel, listeners[n]);
    // Nobody has logged in again for it.
    assert.equal((await one.auth()).token, token);
    const responses = two.broadcast(channels[0], 'n', 'after', 1500);
    await (await skipTo(listeners[0], 'after')).respond('here');
    assert.deepEqual(await responses, ['here']);
  },

  async 'a device that waits for pairing gets online when it becomes known'(t, { sdk, hasty: server }) {
    const device = { uuid: `pairing-${sdk.language}`, secret: 'not-known-yet', allowPairing: true };
    const exp = await online(t, { sdk, server }, device);
    const { identity } = await exp.auth();
    assert.deepEqual([identity.isPairing, identity.organization, identity.type], [true, null, 'device']);
    if (sdk.language === 'JavaScript') {
      await assert.rejects(exp.broadcast({ name: 'x' }, 'n', {}, 0), /pairing mode/);
    } else {
      // It asks, and a refusal is not to make it log in again.
      await assert.rejects(exp.broadcast({ name: 'x' }, 'n', {}, 0), { name: 'ApiError', status: 403 });
    }
    await addDevice(server, device);
    let auth;
    do auth = await another(exp, auth ?? { token: '' });
    while (auth.identity.isPairing);
    assert.deepEqual([auth.identity.organization, auth.identity.uuid], ['scala', device.uuid]);
    const channel = { name: t.name };
    const listener = await exp.listen(channel, 'n');
    await heard(server, channel, listener);
  },

  async 'a device without a name waits for pairing'(t, { sdk, hasty: server }) {
    const exp = await online(t, { sdk, server }, { allowPairing: true });
    const { identity } = await exp.auth();
    assert.deepEqual([identity.isPairing, identity.organization], [true, null]);
    await another(exp, await exp.auth());
  },

  async 'a device that may pair and is known is simply online'(t, { sdk, server }) {
    const exp = await online(t, { sdk, server }, { ...SECOND, allowPairing: true });
    const { identity } = await exp.auth();
    assert.deepEqual([identity.isPairing ?? false, identity.organization], [false, 'scala']);
  },

  async 'a device whose credentials are revoked is told'(t, { sdk, hasty: server }) {
    const device = { uuid: `revoked-${sdk.language}`, secret: 'for-a-short-time' };
    await addDevice(server, device);
    const exp = await online(t, { sdk, server }, device);
    const listener = await exp.listen({ name: t.name }, 'n');
    const path = `/v1/credentials/device/${encodeURIComponent(device.uuid)}`;
    assert.equal((await call(server, path, { method: 'DELETE', token: KEYS.admin })).status, 200);
    if (sdk.language === 'JavaScript') assert.match(await exp.fatal(), /Authentication failed/);
    else await refused(exp);
    await broadcastByHand(server, KEYS.all, { name: 'n', channel: channelId(t.name), payload: 1 });
    assert.equal(await listener.count(), 0);
    assert.equal((await logIn(server, device)).status, 401);
    assert.equal((await logIn(server, UNKNOWN)).status, 401);
  },
};

/** The next authentication of an SDK. */
async function another(exp, { token }) {
  const changed = async () => {
    for (;;) {
      const auth = await exp.auth();
      if (auth.token !== token) return auth;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  return within(changed(), 'other token', REFRESHED_MS);
}

/** Waits until an SDK says that it cannot log in any more. */
async function refused(exp) {
  const asked = async () => {
    for (;;) {
      const error = await exp.auth().then(
        () => undefined,
        (error) => error,
      );
      if (error) return assert.equal(error.name, 'AuthenticationError');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  await within(asked(), 'refusal', REFRESHED_MS);
}

/** Broadcasts, as another device does, until a listener that is on its way back has heard of it. */
async function heard(server, { name, ...flags }, listener) {
  const numbers = Object.fromEntries(Object.entries(flags).map(([flag, set]) => [flag, Number(set)]));
  const token = await tokenOf(server, SECOND);
  const payload = `are you there? ${++asked}`;
  const body = { name: 'n', channel: channelId(name, numbers), payload };
  let over = false;
  const came = skipTo(listener, payload).finally(() => (over = true));
  while (!over) {
    assert.equal((await broadcastByHand(server, token, body)).status, 200);
    await Promise.race([came, new Promise((resolve) => setTimeout(resolve, 200))]);
  }
  await came;
}

/** The broadcast that has this payload; what comes before it is left out. */
async function skipTo(listener, payload) {
  for (;;) {
    const broadcast = await listener.next(REFRESHED_MS);
    if (broadcast.payload === payload) return broadcast;
  }
}

async function addDevice(server, { uuid: name, secret }) {
  const { status, body } = await call(server, '/v1/credentials', { token: KEYS.admin, body: { kind: 'device', name, secret } });
  assert.equal(status, 201, JSON.stringify(body));
}
