// Who is there: events, here-now in each shape, where-now, state, channel groups, with the SDK on Node, in each way in which clients come.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Place, fresh, inEachWay } from '../harness/session.mjs';

const TIMETOKEN = /^\d{17}$/;

let place;
before(async () => (place = await Place.start('[limits]\npresence_announce_max = 3\n[timeouts]\npresence_interval = "200ms"\n')));
after(() => place?.stop());

/** The event, once its times have been looked at. */
function timed({ timetoken, timestamp, ...event }) {
  assert.match(timetoken, TIMETOKEN);
  assert.ok(Number.isInteger(timestamp) && Math.abs(timestamp - Date.now() / 1000) < 10, `${timestamp} is of this time`);
  return event;
}

const event = (channel, action, uuid, occupancy, more = {}) => ({
  channel,
  subscription: null,
  actualChannel: null,
  subscribedChannel: `${channel}-pnpres`,
  action,
  state: undefined,
  occupancy,
  uuid,
  ...more,
});

inEachWay((way) =>
  describe(way.name, { concurrency: 4 }, () => {
    test('who joins, leaves, changes state and falls silent is told of', async (t) => {
      const channel = fresh('told');
      const [watcher, alice, bob] = [await place.client(t, way, 'watcher'), await place.client(t, way, 'alice'), await place.client(t, way, 'bob')];
      const heard = async () => timed(await watcher.next('presence'));
      await watcher.subscribeTo({ channels: [channel], withPresence: true });
      assert.deepEqual(await heard(), event(channel, 'join', 'watcher', 1), 'its own join is told to it');
      await alice.subscribe(channel);
      assert.deepEqual(await heard(), event(channel, 'join', 'alice', 2));
      await bob.subscribe(channel);
      assert.deepEqual(await heard(), event(channel, 'join', 'bob', 3));
      const { state } = await alice.ask('setState', { channels: [channel], state: { mood: 'fine', n: 1 } });
      assert.deepEqual(state, { mood: 'fine', n: 1 });
      assert.deepEqual(await heard(), event(channel, 'state-change', 'alice', 3, { state: { mood: 'fine', n: 1 } }));
      bob.pubnub.unsubscribe({ channels: [channel] });
      assert.deepEqual(await heard(), event(channel, 'leave', 'bob', 2));
      alice.pubnub.unsubscribeAll();
      assert.deepEqual({ ...(await heard()), state: undefined }, event(channel, 'leave', 'alice', 1));
      assert.equal(watcher.left('presence'), 0);
      assert.equal(watcher.left('message'), 0);
    });

    test('who is silent for too long is told to have timed out', async (t) => {
      const channel = fresh('silent');
      const [watcher, alice] = [await place.client(t, way, 'watcher'), await place.client(t, way, 'alice', { presenceTimeout: 20, heartbeatInterval: 0 })];
      await watcher.subscribe(`${channel}-pnpres`);
      // The SDK would not name so short a time.
      alice.pubnub._config._presenceTimeout = 1;
      await alice.ask('iAmHere', { channels: [channel] });
      assert.deepEqual(timed(await watcher.next('presence')), event(channel, 'join', 'alice', 1));
      assert.deepEqual(timed(await watcher.next('presence')), event(channel, 'timeout', 'alice', 0));
    });

    test('someone is there once, however many connections he has', async (t) => {
      const channel = fresh('twice');
      const watcher = await place.client(t, way, 'watcher');
      await watcher.subscribe(`${channel}-pnpres`);
      const [one, two] = [await place.client(t, way, 'alice'), await place.client(t, way, 'alice')];
      await one.subscribe(channel);
      assert.deepEqual(timed(await watcher.next('presence')), event(channel, 'join', 'alice', 1));
      await two.subscribe(channel);
      one.pubnub.disconnect();
      const bob = await place.client(t, way, 'bob');
      await bob.subscribe(channel);
      assert.deepEqual(timed(await watcher.next('presence')), event(channel, 'join', 'bob', 2));
    });

    test('with many members, one event from time to time tells of all', async (t) => {
      const channel = fresh('many');
      const watcher = await place.client(t, way, 'watcher');
      await watcher.subscribe(`${channel}-pnpres`);
      const names = Array.from({ length: 8 }, (_, n) => `user-${n}`);
      const clients = [];
      for (const name of names) clients.push(await place.client(t, way, name));
      for (const client of clients) await client.ask('iAmHere', { channels: [channel] });
      const joined = new Set();
      let intervals = 0;
      let last;
      while (joined.size < names.length) {
        const { action, uuid, join = [], occupancy } = timed(await watcher.next('presence'));
        last = occupancy;
        if (action === 'interval') {
          intervals += 1;
          assert.equal(uuid, undefined);
          for (const one of join) joined.add(one);
        } else {
          assert.equal(action, 'join');
          joined.add(uuid);
        }
      }
      assert.deepEqual([[...joined].sort(), last, intervals > 0], [names, 8, true]);
      await clients[0].ask('iAmAway', { channels: [channel] });
      const { leave, occupancy } = timed(await watcher.next('presence'));
      assert.deepEqual([leave, occupancy], [['user-0'], 7]);
    });

    test('here-now of one channel', async (t) => {
      const channel = fresh('here');
      const [alice, bob] = [await place.client(t, way, 'alice'), await place.client(t, way, 'bob')];
      const nobody = { totalChannels: 1, totalOccupancy: 0, channels: { [channel]: { occupants: [], name: channel, occupancy: 0 } } };
      assert.deepEqual(await alice.ask('hereNow', { channels: [channel] }), nobody);
      await alice.subscribe(channel);
      await bob.subscribe(channel);
      await bob.ask('setState', { channels: [channel], state: { n: 1 } });
      const here = (occupants) => ({ totalChannels: 1, totalOccupancy: 2, channels: { [channel]: { occupants, name: channel, occupancy: 2 } } });
      const sorted = (answer) => {
        answer.channels[channel].occupants.sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
        return answer;
      };
      assert.deepEqual(sorted(await alice.ask('hereNow', { channels: [channel] })), here([{ state: null, uuid: 'alice' }, { state: null, uuid: 'bob' }]));
      const withState = sorted(await alice.ask('hereNow', { channels: [channel], includeState: true }));
      const [first, second] = withState.channels[channel].occupants;
      assert.deepEqual([first.uuid, first.state ?? {}, second], ['alice', {}, { uuid: 'bob', state: { n: 1 } }]);
      assert.deepEqual(await alice.ask('hereNow', { channels: [channel], includeUUIDs: false }), here([]));
    });

    test('here-now of several channels, of a group, of everything', async (t) => {
      const [a, b, c, group] = [fresh('a'), fresh('b'), fresh('empty'), fresh('group')];
      const [alice, bob] = [await place.client(t, way, 'alice'), await place.client(t, way, 'bob')];
      await alice.ask('channelGroups.addChannels', { channels: [a, b], channelGroup: group });
      await alice.subscribe(a, b);
      await bob.subscribe(b);
      const answer = await alice.ask('hereNow', { channels: [a, b, c] });
      assert.deepEqual([answer.totalOccupancy, answer.channels[a]], [3, { occupants: [{ state: null, uuid: 'alice' }], name: a, occupancy: 1 }]);
      assert.deepEqual(answer.channels[b].occupants.map(({ uuid }) => uuid).sort(), ['alice', 'bob']);
      const byGroup = await alice.ask('hereNow', { channelGroups: [group] });
      assert.deepEqual([byGroup.totalChannels, byGroup.totalOccupancy, Object.keys(byGroup.channels).sort()], [2, 3, [a, b].sort()]);
      const both = await alice.ask('hereNow', { channels: [a], channelGroups: [group], includeState: true });
      assert.equal(both.channels[b].occupancy, 2);
      const counts = await alice.ask('hereNow', { channels: [a, b], includeUUIDs: false });
      assert.deepEqual(counts.channels[b], { occupants: [], name: b, occupancy: 2 });
      const everything = await alice.ask('hereNow', {});
      assert.deepEqual([everything.channels[b].occupancy, everything.channels[a].occupancy], [2, 1]);
      assert.equal(everything.totalChannels, Object.keys(everything.channels).length);
    });

    test('where-now', async (t) => {
      const [a, b] = [fresh('a'), fresh('b')];
      const [alice, asker] = [await place.client(t, way, fresh('alice & co')), await place.client(t, way)];
      const uuid = alice.pubnub.getUUID();
      assert.deepEqual(await asker.ask('whereNow', { uuid }), { channels: [] });
      await alice.subscribe(a, b);
      assert.deepEqual((await asker.ask('whereNow', { uuid })).channels.sort(), [a, b].sort());
      assert.deepEqual((await alice.ask('whereNow', {})).channels.sort(), [a, b].sort());
    });

    test('state is set for channels and groups, and read', async (t) => {
      const [a, b, group] = [fresh('a'), fresh('b'), fresh('group')];
      const [alice, asker] = [await place.client(t, way, fresh('alice')), await place.client(t, way)];
      const uuid = alice.pubnub.getUUID();
      await alice.ask('channelGroups.addChannels', { channels: [b], channelGroup: group });
      await alice.subscribeTo({ channels: [a], channelGroups: [group] });
      assert.deepEqual(await alice.ask('setState', { channels: [a], channelGroups: [group], state: { text: 'ü', deep: { n: [1] } } }), {
        state: { text: 'ü', deep: { n: [1] } },
      });
      assert.deepEqual(await asker.ask('getState', { uuid, channels: [a] }), { channels: { [a]: { text: 'ü', deep: { n: [1] } } } });
      // Of several, the SDK hands out the payload as it is.
      assert.deepEqual(await asker.ask('getState', { uuid, channels: [a, b] }), {
        channels: { channels: { [a]: { text: 'ü', deep: { n: [1] } }, [b]: { text: 'ü', deep: { n: [1] } } } },
      });
      assert.deepEqual(await asker.ask('getState', { uuid: fresh('nobody'), channels: [a] }), { channels: { [a]: {} } });
      await alice.ask('setState', { channels: [a], state: { only: true } });
      assert.deepEqual(await asker.ask('getState', { uuid, channels: [a] }), { channels: { [a]: { only: true } } });
    });

    test('state comes with a heartbeat', async (t) => {
      const channel = fresh('beating');
      const [alice, asker] = [await place.client(t, way, fresh('alice')), await place.client(t, way)];
      await alice.subscribe(channel);
      await alice.ask('setState', { channels: [channel], state: { n: 1 }, withHeartbeat: true });
      assert.deepEqual(await asker.ask('getState', { uuid: alice.pubnub.getUUID(), channels: [channel] }), { channels: { [channel]: { n: 1 } } });
    });

    test('who beats is there without listening', async (t) => {
      const channel = fresh('beaten');
      const [watcher, alice] = [await place.client(t, way, 'watcher'), await place.client(t, way, 'alice', { heartbeatInterval: 1, announceSuccessfulHeartbeats: true })];
      await watcher.subscribe(`${channel}-pnpres`);
      alice.pubnub.presence({ connected: true, channels: [channel] });
      assert.deepEqual(timed(await watcher.next('presence')), event(channel, 'join', 'alice', 1));
      for (let beats = 0; beats < 2; beats++) {
        const { error, statusCode } = await alice.status('PNHeartbeatOperation');
        assert.deepEqual([error, statusCode], [false, 200]);
      }
      alice.pubnub.presence({ connected: false, channels: [channel] });
      assert.deepEqual(timed(await watcher.next('presence')), event(channel, 'leave', 'alice', 0));
      assert.equal(watcher.left('presence'), 0);
    });

    test('a channel group is subscribed to as one', async (t) => {
      const [a, b, group] = [fresh('a'), fresh('b'), fresh('group')];
      const [client, alice] = [await place.client(t, way, 'client'), await place.client(t, way, 'alice')];
      assert.deepEqual(await client.ask('channelGroups.addChannels', { channels: [a], channelGroup: group }), {});
      const connected = await client.subscribeTo({ channelGroups: [group], withPresence: true });
      assert.deepEqual([connected.affectedChannelGroups, connected.affectedChannels], [[group], []]);
      const { subscription, channel, action } = timed(await client.next('presence'));
      assert.deepEqual([subscription, channel, action], [group, a, 'join']);
      const published = await alice.ask('publish', { channel: a, message: 'to the group' });
      assert.deepEqual(await client.next('message'), {
        channel: a,
        subscription: group,
        actualChannel: a,
        subscribedChannel: group,
        timetoken: published.timetoken,
        publisher: 'alice',
        message: 'to the group',
      });
      // What is added is heard by those who are there.
      await alice.ask('channelGroups.addChannels', { channels: [b, a], channelGroup: group });
      await alice.ask('publish', { channel: b, message: 'added' });
      assert.equal((await client.next('message')).message, 'added');
      assert.deepEqual((await client.ask('channelGroups.listChannels', { channelGroup: group })).channels.sort(), [a, b].sort());
      assert.ok((await client.ask('channelGroups.listGroups')).groups.includes(group));
      // Who subscribes to the group joins its channels, and is told of others' joining.
      await alice.subscribe(a);
      let join;
      do join = timed(await client.next('presence'));
      while (join.uuid !== 'alice');
      assert.deepEqual([join.subscription, join.channel, join.action], [group, a, 'join']);
      assert.deepEqual(await client.ask('channelGroups.removeChannels', { channels: [a], channelGroup: group }), {});
      assert.deepEqual(await client.ask('channelGroups.listChannels', { channelGroup: group }), { channels: [b] });
      await alice.ask('publish', { channel: a, message: 'removed' });
      await alice.ask('publish', { channel: b, message: 'still' });
      assert.equal((await client.next('message')).message, 'still');
      assert.deepEqual(await client.ask('channelGroups.deleteGroup', { channelGroup: group }), {});
      assert.equal((await client.ask('channelGroups.listGroups')).groups.includes(group), false);
      await assert.rejects(client.ask('channelGroups.addChannels', { channels: [a], channelGroup: 'a:b,c' }), (error) => {
        assert.deepEqual([error.statusCode, error.answer.message], [400, 'Reserved character in input parameters.']);
        return true;
      });
    });

    test('presence of a wildcard', async (t) => {
      const root = fresh('wild');
      const [client, alice] = [await place.client(t, way, 'client'), await place.client(t, way, 'alice')];
      await client.subscribeTo({ channels: [`${root}.*`], withPresence: true });
      await alice.subscribe(`${root}.x`);
      let join;
      do join = timed(await client.next('presence'));
      while (join.uuid !== 'alice');
      assert.deepEqual([join.subscription, join.channel, join.action, join.occupancy], [`${root}.*`, `${root}.x`, 'join', 1]);
    });
  }),
);
