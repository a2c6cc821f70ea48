// Devices, apps and users log in, and stay logged in.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import WebSocketOfNode from 'ws';
import { connect, UnauthorizedError } from 'antiphon';
import { Collector, next, Proxy, Server } from './server.mjs';

const SCALA = `
[[org]]
name = "scala"
[[org.device]]
uuid = "test-uuid"
secret = "test-secret"
[[org.consumer_app]]
uuid = "test-uuid"
api_key = "test-api-key"
[[org.user]]
username = "test@test.com"
password = "12345test"
`;
const SHORT = '[exp]\ntoken_lifetime = "2s"\n';

const DEVICE = { device: { uuid: 'test-uuid', secret: 'test-secret' } };
const APP = { consumerApp: { uuid: 'test-uuid', apiKey: 'test-api-key' } };
const USER = { user: { username: 'test@test.com', password: '12345test', organization: 'scala' } };

async function client(t, server, options) {
  const exp = await connect({ url: server.url, backoffMin: 5, backoffMax: 50, ...options });
  t.after(() => exp.close());
  return exp;
}

/** Notes each token that is presented on a live connection. */
function spyOnRenewals(t) {
  const renewals = new Collector();
  const { prototype } = globalThis.WebSocket ?? WebSocketOfNode;
  const { send } = prototype;
  prototype.send = function (text) {
    const { type, token } = JSON.parse(text);
    if (type === 'authenticate') renewals.take(token);
    return send.call(this, text);
  };
  t.after(() => (prototype.send = send));
  return renewals;
}

test('a device, an app and a user meet', async (t) => {
  const server = await Server.start(t, SCALA);
  const [device, app, user] = await Promise.all([DEVICE, APP, USER].map((who) => client(t, server, who)));
  assert.deepEqual([device.identity, app.identity, user.identity], ['test-uuid', 'test-uuid', 'test@test.com']);
  const options = { consumer: true };
  for (const exp of [device, app, user]) {
    await exp.getChannel('lobby', options).listen('ask', (_, respond) => void respond(exp.identity));
  }
  const responses = await user.getChannel('lobby', options).broadcast('ask', null, 60_000, { until: 3 });
  assert.deepEqual(responses.sort(), ['test-uuid', 'test-uuid', 'test@test.com']);
});

test('a user need not name the organization', async (t) => {
  const server = await Server.start(t, SCALA);
  const { username, password } = USER.user;
  assert.equal((await client(t, server, { user: { username, password } })).identity, 'test@test.com');
});

test('apps are on consumer channels only, and nobody broadcasts on system channels', async (t) => {
  const server = await Server.start(t, SCALA);
  const [device, app] = [await client(t, server, DEVICE), await client(t, server, APP)];
  const denied = { name: 'NotPermittedError', status: 403 };
  app.on('error', () => {});
  await assert.rejects(app.getChannel('lobby').broadcast('x'), denied);
  await assert.rejects(app.getChannel('lobby').listen('x', () => {}), denied);
  await assert.rejects(device.getChannel('lobby', { system: true }).broadcast('x'), denied);
  await device.getChannel('lobby', { system: true }).listen('update', () => {});
});

test('bad credentials are refused at once', async (t) => {
  const server = await Server.start(t, SCALA);
  for (const who of [
    { device: { uuid: 'test-uuid', secret: 'test-api-key' } },
    { device: { uuid: 'nobody', secret: 'test-secret' } },
    { consumerApp: { uuid: 'test-uuid', apiKey: 'test-secret' } },
    { user: { ...USER.user, password: '12345' } },
  ]) {
    await assert.rejects(connect({ url: server.url, ...who }), (error) => {
      assert.ok(error instanceof UnauthorizedError, String(error));
      assert.ok(!error.stack.includes('test-secret'));
      return true;
    });
  }
});

test('a token is renewed on the live connection, which outlives the first one', async (t) => {
  const server = await Server.start(t, SHORT + SCALA);
  const renewals = spyOnRenewals(t);
  for (const who of [DEVICE, USER]) {
    renewals.all.length = 0;
    const exp = await client(t, server, who);
    const offline = exp.on('offline', ({ detail }) => assert.fail(`it went offline: ${detail}`));
    const heard = new Collector();
    await exp.getChannel('room').listen('x', heard.take);
    await renewals.count(4, 'four renewals, which are two lifetimes');
    assert.equal(new Set(renewals.all).size, 4);
    await exp.getChannel('room').publish('x', 'still here');
    assert.deepEqual(await heard.count(1), ['still here']);
    offline.cancel();
  }
});

test('who was away for longer than a token lasts logs in anew', async (t) => {
  const server = await Server.start(t, SHORT + SCALA);
  const proxy = await Proxy.start(t, server);
  const exp = await client(t, { url: proxy.url }, DEVICE);
  const heard = new Collector();
  await exp.getChannel('room').listen('x', heard.take);
  const user = await client(t, server, USER);
  proxy.shut();
  // The server's clock cannot be moved.
  await new Promise((resolve) => setTimeout(resolve, 2500));
  await user.getChannel('room').publish('x', 'missed');
  const online = next(exp, 'online');
  proxy.open();
  await online;
  assert.deepEqual(await heard.count(1), ['missed']);
});
