// What was said: history in its three forms, deletion, counts, and message actions, with the SDK on Node, in each way in which clients come.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Place, fresh, inEachWay } from '../harness/session.mjs';

const TIMETOKEN = /^\d{17}$/;

let place;
before(async () => (place = await Place.start()));
after(() => place?.stop());

const before1 = (timetoken) => String(BigInt(timetoken) - 1n);

/** Publishes 1 to `count`: their timetokens, with nothing at 0. */
async function publishAll(client, channel, count) {
  const tokens = [undefined];
  for (let message = 1; message <= count; message++) tokens.push((await client.ask('publish', { channel, message })).timetoken);
  return tokens;
}

const messagesOf = ({ messages }) => messages.map(({ entry }) => entry);
const fetched = (answer, channel) => (answer.channels[channel] ?? []).map(({ message }) => message);

inEachWay((way) =>
  describe(way.name, { concurrency: 4 }, () => {
    test('history of one channel, from both ends and in parts', async (t) => {
      const channel = fresh('history');
      const client = await place.client(t, way);
      assert.deepEqual(await client.ask('history', { channel }), { messages: [], startTimeToken: 0, endTimeToken: 0 });
      const tokens = await publishAll(client, channel, 6);
      const all = await client.ask('history', { channel, stringifiedTimeToken: true });
      assert.deepEqual(
        all.messages.map(({ timetoken, entry }) => [timetoken, entry]),
        tokens.slice(1).map((timetoken, n) => [timetoken, n + 1]),
      );
      assert.deepEqual([String(all.startTimeToken), String(all.endTimeToken)], [tokens[1], tokens[6]].map((token) => String(Number(token))));
      assert.deepEqual(messagesOf(await client.ask('history', { channel, count: 2 })), [5, 6]);
      assert.deepEqual(messagesOf(await client.ask('history', { channel, count: 2, reverse: true })), [1, 2]);
      assert.deepEqual(messagesOf(await client.ask('history', { channel, start: tokens[4] })), [1, 2, 3], 'start is not in it');
      assert.deepEqual(messagesOf(await client.ask('history', { channel, start: tokens[4], count: 2 })), [2, 3]);
      assert.deepEqual(messagesOf(await client.ask('history', { channel, end: tokens[4] })), [4, 5, 6], 'end is in it');
      assert.deepEqual(messagesOf(await client.ask('history', { channel, start: tokens[5], end: tokens[2] })), [2, 3, 4]);
      assert.deepEqual(messagesOf(await client.ask('history', { channel, start: tokens[3], reverse: true })), [4, 5, 6]);
      const numbers = await client.ask('history', { channel, count: 1 });
      assert.equal(numbers.messages[0].timetoken, Number(tokens[6]));
    });

    test('what is not to be stored is not there', async (t) => {
      const channel = fresh('stored');
      const client = await place.client(t, way);
      await client.ask('publish', { channel, message: 'no', storeInHistory: false });
      await client.ask('fire', { channel, message: 'fired' });
      await client.ask('signal', { channel, message: 'signalled' });
      await client.ask('publish', { channel, message: 'yes', storeInHistory: true, meta: { m: 1 } });
      await client.ask('publish', { channel, message: 'by POST', sendByPost: true });
      const { messages } = await client.ask('history', { channel, includeMeta: true });
      assert.deepEqual(messages.map(({ entry, meta }) => [entry, meta || undefined]), [['yes', { m: 1 }], ['by POST', undefined]]);
    });

    test('batches of history', async (t) => {
      const [a, b, none] = [fresh('a/ü'), fresh('b'), fresh('none')];
      const client = await place.client(t, way, 'alice');
      const tokens = await publishAll(client, a, 5);
      const { timetoken } = await client.ask('publish', { channel: b, message: { text: 'ü' }, meta: { lang: 'de' } });
      const item = (channel, timetoken, message, more) => ({ channel, timetoken, message, messageType: null, uuid: 'alice', ...more });
      const of = async (options) => {
        const answer = await client.ask('fetchMessages', options);
        // A message has no type, which may be said in either way.
        for (const items of Object.values(answer.channels)) for (const item of items) item.messageType ||= null;
        return answer;
      };
      assert.deepEqual(await of({ channels: [a], count: 2 }), { channels: { [a]: [item(a, tokens[4], 4), item(a, tokens[5], 5)] } });
      assert.deepEqual(fetched(await of({ channels: [a], start: tokens[3] }), a), [1, 2]);
      assert.deepEqual(fetched(await of({ channels: [a], end: tokens[3] }), a), [3, 4, 5]);
      assert.deepEqual(fetched(await of({ channels: [a], start: tokens[5], end: tokens[2] }), a), [2, 3, 4]);
      const several = await of({ channels: [a, b, none], includeMeta: true, count: 1 });
      assert.deepEqual(several.channels[a], [item(a, tokens[5], 5)]);
      assert.deepEqual(several.channels[b], [item(b, timetoken, { text: 'ü' }, { meta: { lang: 'de' } })]);
      assert.deepEqual(several.channels[none] ?? [], []);
      const bare = await of({ channels: [a], count: 1, includeUUID: false, includeMessageType: false });
      assert.equal(bare.channels[a][0].uuid, undefined);
    });

    test('a hundred messages come of one channel, twenty-five of each of several', async (t) => {
      const [a, b] = [fresh('a'), fresh('b')];
      const client = await place.client(t, way);
      await Promise.all(Array.from({ length: 30 }, (_, n) => client.ask('publish', { channel: a, message: n + 1 })));
      await client.ask('publish', { channel: b, message: 1 });
      assert.equal(fetched(await client.ask('fetchMessages', { channels: [a] }), a).length, 30);
      assert.equal(fetched(await client.ask('fetchMessages', { channels: [a, b] }), a).length, 25);
      assert.equal(fetched(await client.ask('fetchMessages', { channels: [a], count: 7 }), a).length, 7);
      assert.equal(messagesOf(await client.ask('history', { channel: a, count: 12 })).length, 12);
    });

    test('deletion of a range and of one message', async (t) => {
      const channel = fresh('deleted');
      const client = await place.client(t, way);
      const tokens = await publishAll(client, channel, 6);
      await client.ask('deleteMessages', { channel, start: before1(tokens[3]), end: tokens[3] });
      assert.deepEqual(messagesOf(await client.ask('history', { channel })), [1, 2, 4, 5, 6]);
      await client.ask('deleteMessages', { channel, start: tokens[1], end: tokens[4] });
      assert.deepEqual(fetched(await client.ask('fetchMessages', { channels: [channel] }), channel), [1, 5, 6]);
      await client.ask('deleteMessages', { channel });
      assert.deepEqual(messagesOf(await client.ask('history', { channel })), []);
      // Nor is it caught up from.
      await client.subscribeTo({ channels: [channel], timetoken: before1(tokens[1]) });
      await client.ask('publish', { channel, message: 'after' });
      assert.equal((await client.next('message')).message, 'after');
    });

    test('counts', async (t) => {
      const [a, b, none] = [fresh('a'), fresh('b'), fresh('none')];
      const client = await place.client(t, way);
      const [ofA, ofB] = [await publishAll(client, a, 4), await publishAll(client, b, 2)];
      await client.ask('publish', { channel: a, message: 'not stored', storeInHistory: false });
      await client.ask('signal', { channel: a, message: 's' });
      assert.deepEqual(await client.ask('messageCounts', { channels: [a], channelTimetokens: [ofA[1]] }), { channels: { [a]: 3 } });
      assert.deepEqual(await client.ask('messageCounts', { channels: [a, b, none], channelTimetokens: [ofA[2], ofB[2], ofA[1]] }), {
        channels: { [a]: 2, [b]: 0, [none]: 0 },
      });
      assert.deepEqual(await client.ask('messageCounts', { channels: [a, b], channelTimetokens: [ofA[4]] }), { channels: { [a]: 0, [b]: 2 } });
      await assert.rejects(client.ask('messageCounts', { channels: [a, b], channelTimetokens: ['yesterday', 'today'] }), (error) => {
        assert.deepEqual([error.statusCode, error.answer.error_message], [400, 'Invalid Arguments']);
        return true;
      });
    });

    test('actions are added, told, listed, found in history and removed', async (t) => {
      const channel = fresh('acted on');
      const [alice, bob] = [await place.client(t, way, 'alice'), await place.client(t, way, 'bob')];
      await bob.subscribe(channel);
      const { timetoken: messageTimetoken } = await alice.ask('publish', { channel, message: 'hello' });
      const second = await alice.ask('publish', { channel, message: 'again' });
      const add = async (client, type, value, to = messageTimetoken) => {
        const { data } = await client.ask('addMessageAction', { channel, messageTimetoken: to, action: { type, value } });
        assert.match(data.actionTimetoken, TIMETOKEN);
        return data;
      };
      const smile = await add(alice, 'reaction', 'smile ☺');
      assert.deepEqual(smile, { type: 'reaction', value: 'smile ☺', uuid: 'alice', messageTimetoken, actionTimetoken: smile.actionTimetoken });
      const told = await bob.next('messageAction');
      assert.match(told.timetoken, TIMETOKEN);
      assert.deepEqual(told, { channel, subscription: told.subscription, timetoken: told.timetoken, publisher: 'alice', data: smile, event: 'added' });
      await assert.rejects(add(alice, 'reaction', 'smile ☺'), (error) => {
        assert.equal(error.statusCode, 409);
        assert.deepEqual([error.answer.status, error.answer.error.source, error.answer.error.message], [409, 'actions', 'Action Already Added']);
        return true;
      });
      const bobs = await add(bob, 'reaction', 'smile ☺');
      const read = await add(bob, 'receipt', 'read', second.timetoken);
      await bob.nextOnes('messageAction', 2);

      const listed = await alice.ask('getMessageActions', { channel });
      assert.deepEqual(listed, { data: [smile, bobs, read], start: smile.actionTimetoken, end: read.actionTimetoken });
      assert.deepEqual((await alice.ask('getMessageActions', { channel, limit: 1 })).data, [read]);
      assert.deepEqual((await alice.ask('getMessageActions', { channel, start: read.actionTimetoken })).data, [smile, bobs]);
      assert.deepEqual((await alice.ask('getMessageActions', { channel, end: bobs.actionTimetoken })).data, [bobs, read]);

      const { channels } = await alice.ask('fetchMessages', { channels: [channel], includeMessageActions: true });
      const by = ({ uuid, actionTimetoken }) => ({ uuid, actionTimetoken });
      assert.deepEqual(channels[channel].map(({ message, actions }) => [message, actions]), [
        ['hello', { reaction: { 'smile ☺': [by(smile), by(bobs)] } }],
        ['again', { receipt: { read: [by(read)] } }],
      ]);

      const remove = (client, { actionTimetoken }) => client.ask('removeMessageAction', { channel, messageTimetoken, actionTimetoken });
      await assert.rejects(remove(bob, smile), (error) => {
        assert.deepEqual([error.statusCode, error.answer.error.message], [400, 'Not deleting message action: wrong uuid specified']);
        return true;
      });
      assert.deepEqual(await remove(alice, smile), { data: {} });
      const gone = await bob.next('messageAction');
      assert.deepEqual([gone.event, gone.data, gone.publisher], ['removed', smile, 'alice']);
      await assert.rejects(remove(alice, smile), (error) => {
        assert.deepEqual([error.statusCode, error.answer.error.message], [400, 'No matching message actions to delete']);
        return true;
      });
      assert.deepEqual((await alice.ask('getMessageActions', { channel })).data, [bobs, read]);
      assert.equal(bob.left('messageAction'), 0);
    });

    test('actions are not messages', async (t) => {
      const channel = fresh('actions');
      const client = await place.client(t, way);
      const { timetoken } = await client.ask('publish', { channel, message: 1 });
      await client.ask('addMessageAction', { channel, messageTimetoken: timetoken, action: { type: 'r', value: 'v' } });
      assert.deepEqual(messagesOf(await client.ask('history', { channel })), [1]);
      assert.deepEqual(await client.ask('messageCounts', { channels: [channel], channelTimetokens: [timetoken] }), { channels: { [channel]: 0 } });
      // They go with their message.
      await client.ask('deleteMessages', { channel, start: before1(timetoken), end: timetoken });
      assert.deepEqual((await client.ask('getMessageActions', { channel })).data, []);
    });
  }),
);
