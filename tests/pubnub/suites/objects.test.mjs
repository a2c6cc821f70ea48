// App Context: users, channels, who is a member of what, with the SDK on Node, in each way in which clients come.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Place, fresh, inEachWay } from '../harness/session.mjs';

const UPDATED = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/;
const CUSTOM = { customFields: true };

let place;
before(async () => (place = await Place.start()));
after(() => place?.stop());

/** An object without what changes with time, which has been looked at. */
function stable({ updated, eTag, ...object }) {
  assert.match(updated, UPDATED);
  assert.equal(typeof eTag, 'string');
  assert.ok(eTag.length > 0);
  return object;
}

/** An object without what is null: what is not set may be named or not. */
const set = (object) => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null));
const ids = ({ data }) => data.map(({ id }) => id);
const notFound = (error) => {
  assert.equal(error.statusCode, 404);
  assert.deepEqual(error.answer, { status: 404, error: { message: 'Requested object was not found.', source: 'objects' } });
  return true;
};

inEachWay((way) =>
  describe(way.name, { concurrency: 4 }, () => {
    test('users: made, changed, read, removed', async (t) => {
      const uuid = fresh('user / ü');
      const client = await place.client(t, way, uuid);
      const data = { name: 'Ann', externalId: 'x1', profileUrl: 'http://a.example/?b=c', email: 'a@example.com', status: 'active', type: 'person' };
      const custom = { age: 31, city: 'Köln', vip: true };
      const made = await client.ask('objects.setUUIDMetadata', { uuid, data: { ...data, custom }, include: CUSTOM });
      assert.equal(made.status, 200);
      assert.deepEqual(set(stable(made.data)), { id: uuid, ...data, custom });
      const read = await client.ask('objects.getUUIDMetadata', { uuid, include: CUSTOM });
      assert.deepEqual(read, made);
      const bare = await client.ask('objects.getUUIDMetadata', { include: { customFields: false } });
      assert.deepEqual(set(stable(bare.data)), { id: uuid, ...data });

      // What is not named is kept, null clears, and custom is replaced as a whole.
      const changed = await client.ask('objects.setUUIDMetadata', { data: { name: 'Bea', email: null, custom: { age: 32 } }, include: CUSTOM });
      const { email, ...kept } = data;
      assert.deepEqual(set(stable(changed.data)), { id: uuid, ...kept, name: 'Bea', custom: { age: 32 } });
      assert.equal(changed.data.email, null);
      assert.notEqual(changed.data.eTag, made.data.eTag);
      assert.ok(changed.data.updated > made.data.updated);

      assert.deepEqual(await client.ask('objects.removeUUIDMetadata', {}), { status: 200, data: null });
      await assert.rejects(client.ask('objects.getUUIDMetadata', { uuid }), notFound);
    });

    test('channels: made, changed, read, removed', async (t) => {
      const channel = fresh('channel');
      const client = await place.client(t, way);
      const data = { name: 'Room', description: 'Where we meet', status: 'open', type: 'group' };
      const made = await client.ask('objects.setChannelMetadata', { channel, data: { ...data, custom: { topic: 'ü', n: 1.5 } }, include: CUSTOM });
      assert.deepEqual(set(stable(made.data)), { id: channel, ...data, custom: { topic: 'ü', n: 1.5 } });
      assert.deepEqual(await client.ask('objects.getChannelMetadata', { channel, include: CUSTOM }), made);
      const cleared = await client.ask('objects.setChannelMetadata', { channel, data: { description: null, custom: null }, include: CUSTOM });
      assert.deepEqual([cleared.data.description, cleared.data.custom ?? null, cleared.data.name], [null, null, 'Room']);
      assert.deepEqual(await client.ask('objects.removeChannelMetadata', { channel }), { status: 200, data: null });
      await assert.rejects(client.ask('objects.getChannelMetadata', { channel }), notFound);
    });

    test('lists: filters, sorting, pages, a count', async (t) => {
      const prefix = fresh('list');
      const client = await place.client(t, way);
      const people = [
        ['a', { name: 'Ann', custom: { age: 40 }, status: 'x' }],
        ['b', { name: 'Bob', custom: { age: 20 }, status: 'y' }],
        ['c', { name: "Cy 'quoted' Ü", custom: { age: 30 }, status: 'x' }],
        ['d', { name: 'Dan', custom: { age: 30 }, status: 'z' }],
      ];
      for (const [id, data] of people) await client.ask('objects.setUUIDMetadata', { uuid: `${prefix}-${id}`, data });
      const list = async (filter, options = {}) => {
        const answer = await client.ask('objects.getAllUUIDMetadata', { filter: `id LIKE '${prefix}*'${filter}`, ...options });
        return ids(answer).map((id) => id.slice(-1)).join('');
      };
      assert.equal(await list(''), 'abcd');
      assert.equal(await list(" && name == 'Bob'"), 'b');
      assert.equal(await list(" && name != 'Bob' && status == 'x'"), 'ac');
      assert.equal(await list(" && (name LIKE 'A*' || custom.age < 30)"), 'ab');
      assert.equal(await list(' && custom.age >= 30 && !(status == "x")'), 'd');
      assert.equal(await list('', { sort: { name: 'desc' } }), 'dcba');
      assert.equal(await list('', { sort: { 'status': 'asc', 'name': 'desc' } }), 'cabd');
      assert.equal(await list('', { sort: { updated: null } }), 'abcd');

      const filter = `id LIKE '${prefix}*'`;
      const first = await client.ask('objects.getAllUUIDMetadata', { filter, limit: 3, sort: { name: 'asc' }, include: { totalCount: true, customFields: true } });
      assert.deepEqual([ids(first).length, first.totalCount, first.status, typeof first.next], [3, 4, 200, 'string']);
      assert.deepEqual(first.data[0].custom, { age: 40 });
      const second = await client.ask('objects.getAllUUIDMetadata', { filter, limit: 3, sort: { name: 'asc' }, page: { next: first.next } });
      assert.deepEqual([ids(second), second.totalCount], [[`${prefix}-d`], undefined]);
      const back = await client.ask('objects.getAllUUIDMetadata', { filter, limit: 3, sort: { name: 'asc' }, page: { prev: second.prev } });
      assert.deepEqual(ids(back), ids(first));
      assert.equal('custom' in second.data[0], false);

      for (const id of ['x', 'y']) await client.ask('objects.setChannelMetadata', { channel: `${prefix}-${id}`, data: { name: id, description: `of ${id}` } });
      const channels = await client.ask('objects.getAllChannelMetadata', { filter: `id LIKE '${prefix}*' && description == 'of y'`, include: { totalCount: true } });
      assert.deepEqual([ids(channels), channels.totalCount], [[`${prefix}-y`], 1]);

      await assert.rejects(client.ask('objects.getAllUUIDMetadata', { filter: 'name == == (' }), (error) => {
        assert.equal(error.statusCode, 400);
        const { status, error: said } = error.answer;
        assert.deepEqual([status, said.source, said.details.length > 0], [400, 'objects', true]);
        assert.deepEqual(Object.keys(said.details[0]).sort(), ['location', 'locationType', 'message']);
        return true;
      });
    });

    test('memberships of a user', async (t) => {
      const [uuid, a, b, c] = [fresh('user'), fresh('a'), fresh('b'), fresh('c')];
      const client = await place.client(t, way, uuid);
      await client.ask('objects.setChannelMetadata', { channel: a, data: { name: 'A', type: 'group', custom: { n: 1 } } });
      const joined = await client.ask('objects.setMemberships', { channels: [a, { id: b, custom: { role: 'admin' }, status: 'active' }], include: CUSTOM });
      assert.equal(joined.status, 200);
      const by = (data) => Object.fromEntries(data.map((membership) => [membership.channel.id, membership]));
      const { [a]: inA, [b]: inB } = by(joined.data);
      assert.deepEqual([joined.data.length, inB.custom, inB.status], [2, { role: 'admin' }, 'active']);
      stable(inA);
      const all = { customFields: true, channelFields: true, customChannelFields: true, statusField: true, totalCount: true };
      const listed = await client.ask('objects.getMemberships', { include: all });
      assert.equal(listed.totalCount, 2);
      assert.deepEqual(set(stable(by(listed.data)[a].channel)), { id: a, name: 'A', type: 'group', custom: { n: 1 } });
      const filtered = await client.ask('objects.getMemberships', { uuid, filter: "channel.name == 'A'" });
      assert.deepEqual(filtered.data.map(({ channel }) => channel.id), [a]);
      const sorted = await client.ask('objects.getMemberships', { sort: { 'channel.id': 'desc' } });
      assert.deepEqual(sorted.data.map(({ channel }) => channel.id), [a, b].sort().reverse());
      const one = await client.ask('objects.setMemberships', { channels: [c], filter: `channel.id == '${c}'` });
      assert.deepEqual(one.data.map(({ channel }) => channel.id), [c], 'the answer is filtered');
      const left = await client.ask('objects.removeMemberships', { channels: [a, c] });
      assert.deepEqual(left.data.map(({ channel }) => channel.id), [b]);
    });

    test('members of a channel', async (t) => {
      const [channel, ann, bob] = [fresh('channel'), fresh('ann'), fresh('bob')];
      const client = await place.client(t, way, ann);
      await client.ask('objects.setUUIDMetadata', { uuid: ann, data: { name: 'Ann', custom: { n: 1 } } });
      const added = await client.ask('objects.setChannelMembers', { channel, uuids: [ann, { id: bob, custom: { role: 'guest' } }], include: CUSTOM });
      const by = (data) => Object.fromEntries(data.map((membership) => [membership.uuid.id, membership]));
      assert.deepEqual([added.data.length, by(added.data)[bob].custom], [2, { role: 'guest' }]);
      const listed = await client.ask('objects.getChannelMembers', { channel, include: { UUIDFields: true, customUUIDFields: true, totalCount: true } });
      assert.equal(listed.totalCount, 2);
      assert.deepEqual(set(stable(by(listed.data)[ann].uuid)), { id: ann, name: 'Ann', custom: { n: 1 } });
      // The same from the other side.
      const memberships = await client.ask('objects.getMemberships', { uuid: bob, include: CUSTOM });
      assert.deepEqual(memberships.data.map(({ channel, custom }) => [channel.id, custom]), [[channel, { role: 'guest' }]]);
      const filtered = await client.ask('objects.getChannelMembers', { channel, filter: "uuid.name LIKE 'A*'" });
      assert.deepEqual(filtered.data.map(({ uuid }) => uuid.id), [ann]);
      const removed = await client.ask('objects.removeChannelMembers', { channel, uuids: [ann] });
      assert.deepEqual(removed.data.map(({ uuid }) => uuid.id), [bob]);
    });

    test('by the words for users and spaces too', async (t) => {
      const [userId, spaceId] = [fresh('user'), fresh('space')];
      const client = await place.client(t, way, userId);
      assert.equal((await client.ask('createUser', { userId, data: { name: 'U' } })).data.name, 'U');
      assert.equal((await client.ask('createSpace', { spaceId, data: { name: 'S' } })).data.name, 'S');
      assert.equal((await client.ask('fetchUser', { userId })).data.id, userId);
      assert.equal((await client.ask('fetchSpace', { spaceId })).data.id, spaceId);
      // These ask for no members to be listed.
      const answer = await client.ask('addMemberships', { spaceId, users: [userId] });
      assert.deepEqual([answer.status, answer.data], [200, []]);
      const members = await client.ask('fetchMemberships', { userId, include: { spaceFields: true } });
      assert.deepEqual(members.data.map(({ space }) => [space.id, space.name]), [[spaceId, 'S']]);
      await client.ask('removeMemberships', { userId, spaceIds: [spaceId] });
      assert.deepEqual((await client.ask('fetchMemberships', { userId, include: {} })).data, []);
      await client.ask('removeUser', { userId });
      await client.ask('removeSpace', { spaceId });
      await assert.rejects(client.ask('fetchUser', { userId }), notFound);
    });

    test('changes are told to those who listen', async (t) => {
      const [uuid, channel] = [fresh('user'), fresh('channel')];
      const [client, listener] = [await place.client(t, way, uuid), await place.client(t, way)];
      await listener.subscribe(uuid, channel);
      const heard = async () => {
        const { timetoken, subscription, publisher, ...told } = await listener.next('objects');
        assert.match(timetoken, /^\d{17}$/);
        if (told.message.data.updated) assert.match(told.message.data.updated, UPDATED);
        return told;
      };
      const made = await client.ask('objects.setUUIDMetadata', { data: { name: 'U', custom: { n: 1 } } });
      const user = await heard();
      assert.deepEqual([user.channel, user.message.event, user.message.type], [uuid, 'set', 'uuid']);
      assert.deepEqual([user.message.data.id, user.message.data.name, user.message.data.eTag], [uuid, 'U', made.data.eTag]);
      assert.deepEqual(user.message.data.custom, { n: 1 });
      await client.ask('objects.setChannelMetadata', { channel, data: { name: 'C' } });
      const room = await heard();
      assert.deepEqual([room.channel, room.message.event, room.message.type, room.message.data.name], [channel, 'set', 'channel', 'C']);
      await client.ask('objects.setMemberships', { channels: [{ id: channel, custom: { r: 1 } }] });
      const both = [await heard(), await heard()];
      assert.deepEqual(both.map((told) => told.channel).sort(), [uuid, channel].sort());
      for (const { message } of both) {
        assert.deepEqual([message.event, message.type, message.data.channel.id, message.data.uuid.id], ['set', 'membership', channel, uuid]);
        assert.deepEqual(message.data.custom, { r: 1 });
      }
      await client.ask('objects.removeMemberships', { channels: [channel] });
      const left = [await heard(), await heard()];
      for (const { message } of left) assert.deepEqual([message.event, message.type, message.data.channel.id, message.data.uuid.id], ['delete', 'membership', channel, uuid]);
      await client.ask('objects.removeChannelMetadata', { channel });
      const removed = await heard();
      assert.deepEqual([removed.channel, removed.message], [channel, { event: 'delete', type: 'channel', data: { id: channel } }]);
      await client.ask('objects.removeUUIDMetadata', {});
      assert.deepEqual((await heard()).message, { event: 'delete', type: 'uuid', data: { id: uuid } });
      assert.equal(listener.left('objects'), 0);
      // They are no messages.
      assert.deepEqual((await client.ask('history', { channel })).messages, []);
    });
  }),
);
