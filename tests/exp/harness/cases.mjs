// What every SDK does alike, in whatever language and place: each case is given the test and `{ sdk, server }`.

import assert from 'node:assert/strict';
import { APP, DEVICE, SECOND, UNKNOWN, USER } from './config.mjs';

/** Long enough for whoever is to respond, on a machine that is busy. */
const ANSWERED_MS = 1500;
/** Where nobody is to respond. */
const SILENT_MS = 150;

const PAYLOADS = [
  { text: 'hello?' },
  [1, 'two', { three: [3, null, true, false] }],
  'text',
  '',
  'Grüße, мир, 日本語 𝄞 👩‍👩‍👧 "quoted" \\ \u2028 \u0000 \n',
  0,
  -1.5,
  9007199254740991,
  1e100,
  true,
  false,
  null,
  {},
  [],
  { '': '', 'клю́ч': { deep: [[[[['☕']]]]] } },
  'x'.repeat(50_000),
  'ü'.repeat(20_000),
];

export const CASES = {
  async 'logs in as a device'(t, { sdk, server }) {
    const exp = sdk.open(t, server.url, DEVICE);
    await exp.online();
    same(identityOf(await exp.auth(), server), { type: 'device', uuid: 'test-uuid', organization: 'scala' });
  },

  async 'logs in as a consumer app'(t, { sdk, server }) {
    const exp = sdk.open(t, server.url, APP);
    await exp.online();
    same(identityOf(await exp.auth(), server), { type: 'consumerApp', uuid: 'test-uuid', organization: 'scala' });
  },

  async 'logs in as a user'(t, { sdk, server }) {
    const exp = sdk.open(t, server.url, USER);
    await exp.online();
    same(identityOf(await exp.auth(), server), { type: 'user', username: 'test@test.com', organization: 'scala' });
  },

  async 'is told of bad credentials'(t, { sdk, server }) {
    const bad = [
      { ...DEVICE, secret: 'another secret' },
      UNKNOWN,
      { ...APP, apiKey: 'another key' },
      { ...USER, password: 'another password' },
      { ...USER, username: 'nobody' },
      { ...USER, organization: 'other' },
      { ...USER, organization: 'nowhere' },
    ];
    const said = await Promise.all(bad.map((options) => sdk.open(t, server.url, options).fatal()));
    for (const message of said) assert.match(message, /^(Authentication failed|Invalid credentials)\./);
  },

  async 'the example of the guide'(t, { sdk, server }) {
    const [one, two] = await both(t, { sdk, server });
    const channel = { name: 'testChannel' };
    const listener = await one.listen(channel, 'eventName');
    const responses = two.broadcast(channel, 'eventName', { text: 'hello?' }, ANSWERED_MS);
    const { payload, name, respond } = await listener.next();
    same([payload, name], [{ text: 'hello?' }, 'eventName']);
    await respond('hi there!');
    same(await responses, ['hi there!']);
  },

  async 'responses are in the order in which they came'(t, { sdk, server }) {
    const [one, two] = await both(t, { sdk, server });
    const channel = { name: t.name };
    const listeners = await Promise.all([one.listen(channel, 'ask'), two.listen(channel, 'ask'), one.listen(channel, 'ask')]);
    const responses = two.broadcast(channel, 'ask', null, ANSWERED_MS);
    const heard = await Promise.all(listeners.map((listener) => listener.next()));
    for (const n of [2, 0, 1]) await heard[n].respond(`listener ${n}`);
    same(await responses, ['listener 2', 'listener 0', 'listener 1']);
  },

  async 'each listener on one socket responds, as often as it likes'(t, { sdk, server }) {
    const [one, two] = await both(t, { sdk, server });
    const channel = { name: t.name };
    const listeners = [];
    for (let n = 0; n < 3; n++) listeners.push(await one.listen(channel, 'ask'));
    const responses = two.broadcast(channel, 'ask', {}, ANSWERED_MS);
    for (const [n, listener] of listeners.entries()) {
      const { respond } = await listener.next();
      // The same from each, too: nothing is left out as a double.
      await respond('same');
      if (n === 1) await respond('once more');
    }
    same(await responses, ['same', 'same', 'once more', 'same']);
  },

  async 'whoever broadcasts hears it, before it is answered'(t, { sdk, server }) {
    const exp = await online(t, { sdk, server }, DEVICE);
    const channel = { name: t.name };
    const listener = await exp.listen(channel, 'note to self');
    let answered = false;
    const responses = exp.broadcast(channel, 'note to self', 1, ANSWERED_MS).finally(() => (answered = true));
    const { payload, respond } = await listener.next();
    assert.equal(answered, false);
    await respond('noted');
    assert.equal(answered, false);
    same([payload, await responses], [1, ['noted']]);
  },

  async 'flings'(t, { sdk, server }) {
    const [one, two] = await both(t, { sdk, server });
    const channel = { name: t.name };
    const listener = await one.listen(channel, 'fling');
    const responses = two.fling(channel, { appTemplate: { uuid: 'app' } }, ANSWERED_MS);
    const { payload, respond } = await listener.next();
    same(payload, { appTemplate: { uuid: 'app' } });
    await respond('flung');
    same(await responses, ['flung']);
  },

  async 'asks devices to identify themselves'(t, { sdk, server }) {
    const [one, two] = await both(t, { sdk, server });
    const channel = { name: `${SECOND.uuid}` };
    const listener = await one.listen(channel, 'identify');
    const responses = two.broadcast(channel, 'identify', undefined, ANSWERED_MS);
    const { payload, message, respond } = await listener.next();
    same([payload, 'payload' in message], [null, true]);
    await respond();
    same(await responses, [null]);
  },

  async 'payloads and responses come as they were sent'(t, { sdk, server }) {
    const [one, two] = await both(t, { sdk, server });
    const channel = { name: t.name };
    const listener = await one.listen(channel, 'echo');
    const responses = two.broadcast(channel, 'echo', {}, 2 * ANSWERED_MS);
    const { respond } = await listener.next();
    for (const payload of PAYLOADS) await respond(payload);
    same(await responses, PAYLOADS);
    for (const payload of PAYLOADS) {
      const broadcast = two.broadcast(channel, 'echo', payload, 0);
      same((await listener.next()).payload, payload);
      await broadcast;
    }
  },

  async 'nobody responds'(t, { sdk, server }) {
    const exp = await online(t, { sdk, server }, DEVICE);
    const begun = performance.now();
    same(await exp.broadcast({ name: t.name }, 'ask', {}, SILENT_MS), []);
    const took = performance.now() - begun;
    assert.ok(took >= SILENT_MS - 5, `it was answered after ${took} ms`);
    // Without a timeout it takes what the SDK or the server say.
    same(await exp.broadcast({ name: t.name }, 'ask', {}), []);
  },

  async 'a response that comes too late does no harm'(t, { sdk, server }) {
    const [one, two] = await both(t, { sdk, server });
    const channel = { name: t.name };
    const listener = await one.listen(channel, 'ask');
    const first = two.broadcast(channel, 'ask', 'first', SILENT_MS);
    const late = await listener.next();
    same(await first, []);
    // It is no failure: programs do not catch it, and it would end theirs.
    await late.respond('too late');
    const second = two.broadcast(channel, 'ask', 'second', ANSWERED_MS);
    const { payload, respond } = await listener.next();
    await respond('in time');
    same([payload, await second], ['second', ['in time']]);
  },

  async 'two broadcasts at once keep their responses apart'(t, { sdk, server }) {
    const [one, two] = await both(t, { sdk, server });
    const channel = { name: t.name };
    const listener = await one.listen(channel, 'ask');
    const responses = [1, 2, 3].map((n) => two.broadcast(channel, 'ask', n, ANSWERED_MS));
    for (let n = 0; n < 3; n++) {
      const { payload, respond } = await listener.next();
      await respond({ answerTo: payload });
    }
    same(await Promise.all(responses), [1, 2, 3].map((n) => [{ answerTo: n }]));
  },

  async 'a listener that was cancelled hears nothing, others still do'(t, { sdk, server }) {
    const [one, two] = await both(t, { sdk, server });
    const channel = { name: t.name };
    const [cancelled, other] = [await one.listen(channel, 'news'), await one.listen(channel, 'news')];
    await cancelled.cancel();
    await two.broadcast(channel, 'news', 'new', 0);
    same((await other.next()).payload, 'new');
    assert.equal(await cancelled.count(), 0);
  },

  async 'hears the events that it listens to'(t, { sdk, server }) {
    const [one, two] = await both(t, { sdk, server });
    const channel = { name: t.name };
    const [a, b] = [await one.listen(channel, 'a'), await one.listen(channel, 'b ☕')];
    await two.broadcast(channel, 'c', 'neither', 0);
    await two.broadcast(channel, 'b ☕', 'for b', 0);
    await two.broadcast(channel, 'a', 'for a', 0);
    same([(await a.next()).payload, (await b.next()).payload], ['for a', 'for b']);
    same([await a.count(), await b.count()], [0, 0]);
  },

  async 'hears all events of a channel that has no name of its own'(t, { sdk, server }) {
    if (sdk.language !== 'JavaScript') return t.skip('the SDK for Python asks for both names');
    const [one, two] = await both(t, { sdk, server });
    const listener = await one.listen({}, undefined);
    await two.broadcast({ name: 'default' }, 'a', 1, 0);
    await two.broadcast({}, 'b', 2, 0);
    const heard = [await listener.next(), await listener.next()];
    return same(heard.map(({ name, payload }) => [name, payload]), [['a', 1], ['b', 2]]);
  },

  async 'broadcasts come in the order in which they were made'(t, { sdk, server }) {
    const [one, two] = await both(t, { sdk, server });
    const channel = { name: t.name };
    const listener = await one.listen(channel, 'n');
    for (let n = 0; n < 20; n++) await two.broadcast(channel, 'n', n, 0);
    const heard = [];
    for (let n = 0; n < 20; n++) heard.push((await listener.next()).payload);
    same(heard, [...heard.keys()]);
  },

  async 'the same name with other flags is another channel'(t, { sdk, server }) {
    const [one, two] = await both(t, { sdk, server });
    const [plain, consumer] = [{ name: t.name }, { name: t.name, consumer: true }];
    const listeners = { plain: await one.listen(plain, 'n'), consumer: await one.listen(consumer, 'n') };
    await two.broadcast(consumer, 'n', 'for consumers', 0);
    await two.broadcast(plain, 'n', 'plain', 0);
    same((await listeners.plain.next()).payload, 'plain');
    same((await listeners.consumer.next()).payload, 'for consumers');
    same([await listeners.plain.count(), await listeners.consumer.count()], [0, 0]);
  },

  async 'names of channels may be anything that can be said'(t, { sdk, server }) {
    const [one, two] = await both(t, { sdk, server });
    // A browser's SDK cannot say more.
    const latin = ['Grüße, Ñandú ÿ', 'Ã¼ like UTF-8', '/slashes/ and?queries=&#', ' spaces ', '"quotes" and \\', 'a'.repeat(100)];
    // Those that the SDKs give to devices, zones and data.
    latin.push('0bba1d2b-4a1c-4e2b-9c3f-8f7f6a5b4c3d', '0bba1d2b:zone:entrance', 'data:key:group');
    const more = ['мир ☕ 日本語 𝄞', '👩‍👩‍👧'];
    const names = sdk.name === 'JavaScript in Chromium' ? latin : [...latin, ...more];
    for (const name of names) {
      const listener = await one.listen({ name }, name);
      await two.broadcast({ name }, name, name, 0);
      const heard = await listener.next();
      same([heard.payload, heard.name], [name, name]);
    }
  },

  async 'nobody broadcasts on system channels, and everybody may listen'(t, { sdk, server }) {
    for (const credentials of [DEVICE, USER]) {
      const exp = await online(t, { sdk, server }, credentials);
      const { token } = await exp.auth();
      const channel = { name: t.name, system: true };
      await exp.listen(channel, 'update');
      await assert.rejects(exp.broadcast(channel, 'update', {}, SILENT_MS), forbidden(sdk));
      // A refusal is no reason to log in once more.
      same((await exp.auth()).token, token);
    }
  },

  async 'consumer apps use consumer channels only'(t, { sdk, server }) {
    const [device, app] = await Promise.all([DEVICE, APP].map((each) => online(t, { sdk, server }, each)));
    const { token } = await app.auth();
    const [plain, consumer] = [{ name: t.name }, { name: t.name, consumer: true }];
    const listener = await app.listen(consumer, 'ask');
    const heard = await device.listen(consumer, 'ask');
    const responses = device.broadcast(consumer, 'ask', {}, ANSWERED_MS);
    await (await listener.next()).respond('from the app');
    same(await responses, ['from the app']);
    await app.broadcast(consumer, 'ask', 'by the app', 0);
    await heard.next();
    same((await heard.next()).payload, 'by the app');
    for (const channel of [plain, { ...plain, system: true }, { ...consumer, system: true }]) {
      await assert.rejects(app.broadcast(channel, 'ask', {}, SILENT_MS), forbidden(sdk));
    }
    await assert.rejects(app.listen(plain, 'ask', 700), /no word that it listens|Listen timed out/);
    same((await app.auth()).token, token);
  },

  async 'a device and an app of one uuid are two'(t, { sdk, server }) {
    const [device, app] = await Promise.all([DEVICE, APP].map((each) => online(t, { sdk, server }, each)));
    const [a, b] = await Promise.all([device.auth(), app.auth()]);
    assert.notEqual(a.identity.connectionId, b.identity.connectionId);
    same([a.identity.type, b.identity.type], ['device', 'consumerApp']);
    const channel = { name: t.name, consumer: true };
    const listeners = [await device.listen(channel, 'ask'), await app.listen(channel, 'ask')];
    const responses = app.broadcast(channel, 'ask', {}, ANSWERED_MS);
    for (const [n, listener] of listeners.entries()) await (await listener.next()).respond(n);
    same(await responses, [0, 1]);
  },

  async 'channels of other orgs are out of reach'(t, { sdk, server }) {
    const exp = await online(t, { sdk, server }, DEVICE);
    const id = Buffer.from(JSON.stringify(['other', t.name, 0, 0])).toString('base64');
    const path = '/api/networks/current';
    await assert.rejects(exp.post(`${path}/broadcasts`, { name: 'ask', channel: id, payload: 1 }, { timeout: SILENT_MS }), forbidden(sdk));
    await assert.rejects(exp.post(`${path}/responses`, { id: '1', channel: id, payload: 1 }), forbidden(sdk));
  },

  async 'broadcasts with the object that the guide has for a channel'(t, { sdk, server }) {
    const [one, two] = await both(t, { sdk, server });
    const listener = await one.listen({ name: 'myChannelName', consumer: true }, 'myEventName');
    const payload = { anything: 2, anything2: ['hi!'] };
    const body = { name: 'myEventName', payload, channel: { name: 'myChannelName', consumer: true } };
    const responses = two.post('/api/networks/current/broadcasts', body, { timeout: ANSWERED_MS });
    const heard = await listener.next();
    same(heard.payload, payload);
    await heard.respond('got it');
    same(await responses, ['got it']);
  },
};

/** An SDK that is online. */
export async function online(t, { sdk, server }, credentials) {
  const exp = sdk.open(t, server.url, credentials);
  await exp.online();
  return exp;
}

/** Two devices of one org. */
export function both(t, context) {
  return Promise.all([DEVICE, SECOND].map((credentials) => online(t, context, credentials)));
}

/** Whether it is the refusal that a permission denial has to be, as the SDK says it. */
export function forbidden(sdk) {
  return ({ name, code, message, status }) => {
    same([name, code, status], [sdk.language === 'Python' ? 'ApiError' : 'Error', 'not-permitted', 403]);
    assert.ok(message.length > 10, message);
    return true;
  };
}

/** The identity of an authentication, whose other members are looked at. */
function identityOf(auth, server) {
  const { token, expiration, identity, restrictedToken, api, network, ...more } = auth;
  same(more, {});
  for (const jwt of [token, restrictedToken]) assert.match(jwt, /^[\w-]+\.[\w-]+\.[\w-]+$/);
  const left = expiration - Date.now();
  // A JavaScript timer takes no more than 24.8 days: of half of it, 49.7.
  assert.ok(Number.isInteger(expiration) && left > 0 && left < 49 * 86_400_000, `it ends in ${left} ms`);
  same([api, network], [{ host: server.url }, { host: server.url }]);
  const { role, connectionId, ...who } = identity;
  assert.ok(typeof connectionId === 'string' && connectionId.length > 0);
  return who;
}

function same(got, expected) {
  assert.deepEqual(got, expected);
}
