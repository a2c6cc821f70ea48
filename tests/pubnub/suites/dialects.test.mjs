// Clients of PubNub and those of the other protocols on one channel: whoever publishes, the others hear it, and find it in what is kept.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createRequire } from 'node:module';
import { next, within } from '../../clients/harness/deadline.mjs';
import { NodeSdk } from '../../exp/harness/node.mjs';
import { Events, V1, poll, publish } from '../../standalone/harness/others.mjs';
import { KEY, WAYS } from '../harness/keysets.mjs';
import { Place, fresh } from '../harness/session.mjs';

const { io } = createRequire(import.meta.url)('sio4');
const [PLAIN] = WAYS;
const DEVICE = { uuid: 'device', secret: 'secret-of-the-device' };
const BYTES = Buffer.from([0, 1, 254, 255]);

describe('on one channel', { concurrency: 4 }, () => {
  let place;
  let server;
  before(async () => {
    place = await Place.start('workers = 2\n');
    server = place.server;
  });
  after(() => place?.stop());

  const asked = async (socket, event, ...values) => {
    const answer = await within(socket.emitWithAck(event, ...values), `answer to ${event}`);
    assert.equal(answer.status, 'ok', JSON.stringify(answer));
    return answer;
  };
  const socketIo = async (t, identity) => {
    const socket = io(server.url, { forceNew: true, reconnection: false, transports: ['websocket'], auth: { token: KEY, identity } });
    t.after(() => socket.disconnect());
    const refused = new Promise((_, reject) => socket.once('connect_error', reject));
    await within(Promise.race([next(socket, 'connect'), refused]), 'connection');
    return socket;
  };
  const exp = async (t) => {
    const exp = (await NodeSdk.start()).open(t, server.url, DEVICE);
    await exp.online();
    return exp;
  };
  const v1 = (t, query = {}) => V1.open(t, server, { token: KEY, ...query });

  /** A client of each other protocol that listens on the channel: what each hears next, its payload and its position where it is told. */
  const others = async (t, channel) => {
    const page = await Events.listen(t, server, channel, { token: KEY });
    const victor = await v1(t);
    await victor.ask('subscribe', { channels: [channel] });
    const socket = await socketIo(t);
    await asked(socket, 'subscribe', channel);
    const device = await exp(t);
    const listener = await device.listen({ name: channel }, 'message');
    const heard = [];
    let waiting;
    socket.on('message', (payload) => (waiting ? waiting(payload) : heard.push(payload)));
    const bySocket = () => (heard.length > 0 ? heard.shift() : within(new Promise((resolve) => (waiting = resolve)), 'event `message`').finally(() => (waiting = undefined)));
    return {
      page,
      victor,
      next: async () => {
        const [event, message, socket, broadcast] = [await page.next(), await victor.next(), await bySocket(), await listener.next()];
        assert.equal(event.id, message.position);
        return { sse: event.data, v1: message, socket, exp: broadcast.payload };
      },
    };
  };

  test('what a client of PubNub publishes is heard by all, and kept for them', async (t) => {
    const channel = fresh('from pubnub ü');
    const client = await place.client(t, PLAIN, 'pat');
    const listeners = await others(t, channel);
    const payloads = [{ text: 'hi', n: 1.5, deep: [[null]] }, 'Grüße, 👋', 17, [1, 'two', { three: 3 }], true];
    const tokens = [];
    for (const message of payloads) {
      const { timetoken } = await client.ask('publish', { channel, message, sendByPost: tokens.length % 2 === 1 });
      tokens.push(timetoken);
      const heard = await listeners.next();
      assert.deepEqual(heard, { sse: JSON.stringify(message), v1: { type: 'message', position: timetoken, channel, name: 'message', payload: message, publisher: 'pat' }, socket: message, exp: message });
    }
    const { messages } = await poll(server, channel, { token: KEY });
    assert.deepEqual(messages.map(({ position, payload, publisher }) => [position, payload, publisher]), payloads.map((payload, n) => [tokens[n], payload, 'pat']));
    const socket = await socketIo(t);
    assert.deepEqual((await asked(socket, 'history', channel)).messages.map(({ payload }) => payload), payloads);
    const { messages: past } = await (await v1(t)).ask('history', { channel });
    assert.deepEqual(past.map(({ payload }) => payload), payloads);
    // What is deleted here is gone for all.
    await client.ask('deleteMessages', { channel });
    assert.deepEqual((await poll(server, channel, { token: KEY })).messages, []);
  });

  test('what the others publish is heard by clients of PubNub, and kept for them', async (t) => {
    const channel = fresh('to pubnub');
    const client = await place.client(t, PLAIN, 'pat');
    await client.subscribe(channel);
    const heard = async () => {
      const { message, publisher, userMetadata, timetoken } = await client.next('message');
      return { message, publisher, ...(userMetadata && { userMetadata }), timetoken };
    };
    const all = [];
    const expect = async (expected, position) => {
      const got = await heard();
      assert.deepEqual(got, { ...expected, timetoken: position ?? got.timetoken });
      all.push([got.timetoken, expected.message]);
    };
    const curl = async (body, options, message) => {
      const { position } = await publish(server, channel, body, { token: KEY, identity: 'curl', ...options });
      await expect({ message, publisher: 'curl', ...(options.name && { userMetadata: { name: options.name } }) }, position);
    };
    await curl('{"a": 1}', {}, { a: 1 });
    await curl('just text', { type: 'text/plain' }, 'just text');
    await curl(BYTES, { type: 'application/octet-stream' }, BYTES.toString('base64'));
    await curl('"named"', { name: 'chat' }, 'named');

    const socket = await socketIo(t, 'sue');
    let { position } = await asked(socket, 'publish', { channel, name: 'message', payload: { by: 'Socket.IO' } });
    const named = await heard();
    assert.deepEqual([named.message, named.publisher, named.timetoken], [{ by: 'Socket.IO' }, 'sue', position]);
    all.push([position, { by: 'Socket.IO' }]);
    ({ position } = await asked(socket, 'publish', { channel, name: 'said', arguments: [1, 'two'] }));
    await expect({ message: [1, 'two'], publisher: 'sue', userMetadata: { name: 'said' } }, position);

    const victor = await v1(t, { identity: 'victor' });
    ({ position } = await victor.ask('publish', { channel, payload: 'by v1' }));
    await expect({ message: 'by v1', publisher: 'victor' }, position);

    const device = await exp(t);
    await device.broadcast({ name: channel }, 'ask', { by: 'EXP' }, 0);
    await expect({ message: { by: 'EXP' }, publisher: 'device', userMetadata: { name: 'ask' } });

    const { channels } = await client.ask('fetchMessages', { channels: [channel], includeMeta: true });
    assert.deepEqual(channels[channel].map(({ timetoken, message }) => [timetoken, message]), all);
    const { messages } = await client.ask('history', { channel, stringifiedTimeToken: true });
    assert.deepEqual(messages.map(({ timetoken, entry }) => [timetoken, entry]), all);
    assert.deepEqual(await client.ask('messageCounts', { channels: [channel], channelTimetokens: [all[0][0]] }), { channels: { [channel]: all.length - 1 } });
    // And whoever was not there catches up.
    const late = await place.client(t, PLAIN);
    await late.subscribeTo({ channels: [channel], timetoken: all[0][0] });
    assert.deepEqual((await late.nextOnes('message', all.length - 1)).map(({ timetoken, message }) => [timetoken, message]), all.slice(1));
  });

  test('clients of PubNub filter what the others publish', async (t) => {
    const channel = fresh('filtered');
    const client = await place.client(t, PLAIN);
    client.pubnub.setFilterExpression("name == 'chat' && data.n > 1");
    await client.subscribe(channel);
    for (const [name, body] of [['chat', '{"n":1}'], ['other', '{"n":2}'], ['chat', '{"n":3}']]) await publish(server, channel, body, { token: KEY, name });
    assert.deepEqual((await client.next('message')).message, { n: 3 });
  });

  test('wildcards and groups cover what the others publish', async (t) => {
    const [root, group, others] = [fresh('root'), fresh('group'), fresh('of the others')];
    const client = await place.client(t, PLAIN);
    await client.ask('channelGroups.addChannels', { channels: [others], channelGroup: group });
    await client.subscribeTo({ channels: [`${root}.*`], channelGroups: [group] });
    await publish(server, `${root}.a`, '1', { token: KEY });
    await publish(server, others, '2', { token: KEY });
    const heard = await client.nextOnes('message', 2);
    assert.deepEqual(heard.map(({ message, subscription }) => [message, subscription]), [[1, `${root}.*`], [2, group]]);
  });

  test('who is there is seen by all', async (t) => {
    const channel = fresh('present');
    const client = await place.client(t, PLAIN, 'pat');
    const socket = await socketIo(t, 'sue');
    await asked(socket, 'subscribe', { channel, presence: true });
    const told = next(socket, 'presence');
    await client.subscribeTo({ channels: [channel], withPresence: true });
    const [where, what, who] = await told;
    assert.deepEqual([where, what, who.identity, who.occupancy], [channel, 'join', 'pat', 1]);
    assert.equal((await client.next('presence')).uuid, 'pat');
    const victor = await v1(t, { identity: 'victor' });
    await victor.ask('subscribe', { channels: [{ channel, join: true, state: { mood: 'fine' } }] });
    const { action, uuid, occupancy } = await client.next('presence');
    assert.deepEqual([action, uuid, occupancy], ['join', 'victor', 2]);
    const here = await client.ask('hereNow', { channels: [channel], includeState: true });
    assert.deepEqual(here.channels[channel].occupants.find(({ uuid }) => uuid === 'victor'), { uuid: 'victor', state: { mood: 'fine' } });
    const response = await fetch(`${server.url}/v1/channels/${encodeURIComponent(channel)}/presence`, { headers: { Authorization: `Bearer ${KEY}` } });
    assert.deepEqual((await response.json()).members.map(({ identity }) => identity).sort(), ['pat', 'victor']);
    victor.send('unsubscribe', { channels: [channel] });
    const left = await client.next('presence');
    assert.deepEqual([left.action, left.uuid, left.occupancy], ['leave', 'victor', 1]);
  });

  test('signals, actions and changes of objects reach the others as what they are', async (t) => {
    const channel = fresh('kinds');
    const client = await place.client(t, PLAIN, 'pat');
    const victor = await v1(t);
    await victor.ask('subscribe', { channels: [channel] });
    const { timetoken } = await client.ask('signal', { channel, message: { typing: true } });
    const { position, kind, payload, publisher } = await victor.next();
    assert.deepEqual([position, kind, payload, publisher], [timetoken, 'signal', { typing: true }, 'pat']);

    const published = await client.ask('publish', { channel, message: 'hello' });
    assert.equal((await victor.next()).kind, undefined);
    const { data } = await client.ask('addMessageAction', { channel, messageTimetoken: published.timetoken, action: { type: 'reaction', value: '👍' } });
    const action = await victor.next();
    const { uuid, ...acted } = data;
    assert.deepEqual([action.kind, action.publisher, action.payload], ['action', 'pat', { source: 'actions', version: '1.0', event: 'added', data: acted }]);

    await client.ask('objects.setChannelMetadata', { channel, data: { name: 'Kinds' } });
    const object = await victor.next();
    assert.deepEqual([object.kind, object.payload.event, object.payload.type, object.payload.data.name], ['object', 'set', 'channel', 'Kinds']);
    // Whoever catches up by a poll gets all that, and says what each is.
    const { messages } = await poll(server, channel, { token: KEY });
    assert.deepEqual(messages.map(({ kind }) => kind), ['signal', undefined, 'action', 'object']);
    const history = await client.ask('history', { channel });
    assert.deepEqual(history.messages.map(({ entry }) => entry), ['hello'], 'the others are no messages');
  });
});
