// Access manager with the SDK on Node: tokens with what they permit and what they do not, revocation, auth keys, signatures.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { STRICT, TOKENS } from '../harness/keysets.mjs';
import { Place, fresh } from '../harness/session.mjs';

let place;
before(async () => (place = await Place.start()));
after(() => place?.stop());

const BITS = ['read', 'write', 'manage', 'delete', 'get', 'update', 'join'];
const only = (...bits) => Object.fromEntries(BITS.map((bit) => [bit, bits.includes(bit)]));

/** Refused for want of a permission on these. */
const forbidden = (...names) => (error) => {
  assert.deepEqual([error.statusCode, error.category], [403, 'PNAccessDeniedCategory'], error.message);
  const { message, error: refused, service, status, payload } = error.answer;
  assert.deepEqual([message, refused, service, status], ['Forbidden', true, 'Access Manager', 403]);
  assert.deepEqual(payload, { channels: names });
  return true;
};
const denied = (error) => {
  assert.deepEqual([error.statusCode, error.category], [403, 'PNAccessDeniedCategory'], error.message);
  return true;
};

describe('access manager', { concurrency: 4 }, () => {
  const withToken = async (t, userId, grant) => {
    const admin = place.strictAdmin(t);
    const token = await admin.ask('grantToken', { ttl: 15, ...grant });
    const client = place.strict(t, userId);
    client.pubnub.setToken(token);
    return { admin, client, token };
  };

  test('a token says what was granted', async (t) => {
    const admin = place.strictAdmin(t);
    const token = await admin.ask('grantToken', {
      ttl: 15,
      authorized_uuid: 'alice',
      meta: { role: 'admin', n: 1 },
      resources: { channels: { 'a ü': { read: true, write: true } }, groups: { g: { manage: true, read: true } }, uuids: { u: { get: true, update: true } } },
      patterns: { channels: { '^room-.*$': { read: true, join: true, delete: true } } },
    });
    const { signature, timestamp, ...parsed } = admin.pubnub.parseToken(token);
    assert.ok(Math.abs(timestamp - Date.now() / 1000) < 10);
    assert.equal(signature.length, 32);
    assert.deepEqual(parsed, {
      version: 2,
      ttl: 15,
      authorized_uuid: 'alice',
      meta: { role: 'admin', n: 1 },
      resources: { channels: { 'a ü': only('read', 'write') }, groups: { g: only('read', 'manage') }, uuids: { u: only('get', 'update') } },
      patterns: { channels: { '^room-.*$': only('read', 'join', 'delete') } },
    });
    const byUsers = await admin.ask('grantToken', { ttl: 1, authorizedUserId: 'bob', resources: { spaces: { s: { read: true } }, users: { u: { get: true } } } });
    const { resources, authorized_uuid } = admin.pubnub.parseToken(byUsers);
    assert.deepEqual([resources, authorized_uuid], [{ channels: { s: only('read') }, uuids: { u: only('get') } }, 'bob']);
  });

  test('grants that are none are refused', async (t) => {
    const admin = place.strictAdmin(t);
    const channels = { c: { read: true } };
    for (const grant of [{ ttl: 0, resources: { channels } }, { ttl: 43_201, resources: { channels } }, { ttl: 5, patterns: { channels: { '^(': { read: true } } } }]) {
      await assert.rejects(admin.ask('grantToken', grant), (error) => {
        assert.equal(error.statusCode, 400, error.message);
        const { status, error: said, service } = error.answer;
        assert.deepEqual([status, service, typeof said.message, typeof said.source], [400, 'Access Manager', 'string', 'string']);
        return true;
      });
    }
    const nobody = place.strict(t, 'nobody', { secretKey: 'another secret' });
    await assert.rejects(nobody.ask('grantToken', { ttl: 5, resources: { channels } }), denied);
  });

  test('without a token, nothing may be done', async (t) => {
    const client = place.strict(t, 'alice');
    await client.ask('time');
    // Somebody whose whereabouts are not to be told.
    await place.strict(t, 'bob', { secretKey: STRICT.secretKey }).ask('iAmHere', { channels: ['c'] });
    const calls = [
      ['publish', { channel: 'c', message: 1 }],
      ['signal', { channel: 'c', message: 1 }],
      ['fire', { channel: 'c', message: 1 }],
      ['hereNow', { channels: ['c'] }],
      ['setState', { channels: ['c'], state: { a: 1 } }],
      ['getState', { channels: ['c'] }],
      ['iAmHere', { channels: ['c'] }],
      ['history', { channel: 'c' }],
      ['fetchMessages', { channels: ['c'] }],
      ['fetchMessages', { channels: ['c'], includeMessageActions: true }],
      ['deleteMessages', { channel: 'c' }],
      ['messageCounts', { channels: ['c'], channelTimetokens: ['15000000000000000'] }],
      ['addMessageAction', { channel: 'c', messageTimetoken: '15000000000000000', action: { type: 'a', value: 'b' } }],
      ['removeMessageAction', { channel: 'c', messageTimetoken: '15000000000000000', actionTimetoken: '15000000000000000' }],
      ['getMessageActions', { channel: 'c' }],
      ['channelGroups.addChannels', { channels: ['c'], channelGroup: 'g' }],
      ['channelGroups.listChannels', { channelGroup: 'g' }],
      ['channelGroups.removeChannels', { channels: ['c'], channelGroup: 'g' }],
      ['channelGroups.deleteGroup', { channelGroup: 'g' }],
      ['channelGroups.listGroups'],
      ['objects.getAllUUIDMetadata', {}],
      ['objects.getAllChannelMetadata', {}],
      ['objects.setUUIDMetadata', { data: { name: 'a' } }],
      ['objects.getUUIDMetadata', { uuid: 'bob' }],
      ['objects.removeUUIDMetadata', {}],
      ['objects.setChannelMetadata', { channel: 'c', data: { name: 'a' } }],
      ['objects.getChannelMetadata', { channel: 'c' }],
      ['objects.removeChannelMetadata', { channel: 'c' }],
      ['objects.getMemberships', {}],
      ['objects.setMemberships', { channels: ['c'] }],
      ['objects.removeMemberships', { channels: ['c'] }],
      ['objects.getChannelMembers', { channel: 'c' }],
      ['objects.setChannelMembers', { channel: 'c', uuids: ['bob'] }],
      ['objects.removeChannelMembers', { channel: 'c', uuids: ['bob'] }],
      ['listFiles', { channel: 'c' }],
      ['deleteFile', { channel: 'c', id: 'id', name: 'name' }],
      ['downloadFile', { channel: 'c', id: 'id', name: 'name' }],
      ['publishFile', { channel: 'c', fileId: 'id', fileName: 'name' }],
      ['sendFile', { channel: 'c', file: { data: 'x', name: 'name' } }],
      ['push.addChannels', { channels: ['c'], device: 'd', pushGateway: 'gcm' }],
      ['push.removeChannels', { channels: ['c'], device: 'd', pushGateway: 'gcm' }],
    ];
    const clients = { 'no token': client };
    // One of another org, and one that somebody made himself.
    clients['a token of another org'] = place.strict(t, 'alice');
    clients['a token of another org'].pubnub.setToken(await place.token(t, TOKENS));
    const { token } = await withToken(t, 'alice', { patterns: { channels: { '.*': only(...BITS) }, groups: { '.*': only(...BITS) }, uuids: { '.*': only(...BITS) } } });
    const forged = Buffer.from(token, 'base64url');
    forged[forged.length - 1] ^= 1;
    clients['a forged token'] = place.strict(t, 'alice');
    clients['a forged token'].pubnub.setToken(forged.toString('base64').replaceAll('+', '-').replaceAll('/', '_'));
    clients['a wrong signature'] = place.strict(t, 'alice', { secretKey: 'another secret' });
    for (const [what, client] of Object.entries(clients)) {
      for (const [name, ...values] of calls) {
        const answered = await client.ask(name, ...values).then(JSON.stringify, ({ statusCode, message }) => statusCode ?? message);
        assert.equal(answered, 403, `${name} with ${what}`);
      }
      // Of where somebody is, nothing is told; that may be said by a list with nothing in it.
      // A credential that is none is refused; one that permits nothing is told of nothing.
      const where = await client.ask('whereNow', { uuid: 'bob' }).catch(({ statusCode }) => statusCode);
      assert.ok(where === 403 || where.channels?.length === 0, `whereNow with ${what}: ${JSON.stringify(where)}`);
      client.pubnub.subscribe({ channels: ['c'] });
      const status = await client.status('PNAccessDeniedCategory');
      assert.deepEqual([status.statusCode, status.error], [403, true], what);
    }
  });

  test('each permission is asked for where it is needed', async (t) => {
    const [channel, other] = [fresh('allowed'), fresh('other')];
    const { client: reader, admin } = await withToken(t, 'reader', { resources: { channels: { [channel]: { read: true } } } });
    const { client: writer } = await withToken(t, 'writer', { resources: { channels: { [channel]: { write: true } } } });
    const { client: deleter } = await withToken(t, 'deleter', { resources: { channels: { [channel]: { delete: true } } } });
    await reader.subscribe(channel);
    const { timetoken } = await writer.ask('publish', { channel, message: 'w' });
    assert.equal((await reader.next('message')).message, 'w');
    await assert.rejects(reader.ask('publish', { channel, message: 'r' }), forbidden(channel));
    await assert.rejects(writer.ask('publish', { channel: other, message: 'r' }), forbidden(other));
    await assert.rejects(writer.ask('history', { channel }), denied);
    assert.equal((await reader.ask('history', { channel })).messages.length, 1);
    await assert.rejects(reader.ask('fetchMessages', { channels: [channel, other] }), forbidden(other));
    await assert.rejects(reader.ask('deleteMessages', { channel }), denied);
    await writer.ask('addMessageAction', { channel, messageTimetoken: timetoken, action: { type: 'a', value: 'b' } });
    await assert.rejects(reader.ask('addMessageAction', { channel, messageTimetoken: timetoken, action: { type: 'a', value: 'b' } }), denied);
    await deleter.ask('deleteMessages', { channel });
    writer.pubnub.subscribe({ channels: [channel] });
    const status = await writer.status('PNAccessDeniedCategory');
    assert.deepEqual(status.errorData.payload, { channels: [channel] });

    const { client: groups } = await withToken(t, 'groups', { resources: { groups: { g: { manage: true, read: true } }, channels: { [channel]: { manage: true } } } });
    await groups.ask('channelGroups.addChannels', { channels: [channel], channelGroup: 'g' });
    await groups.subscribeTo({ channelGroups: ['g'] });
    await admin.ask('publish', { channel, message: 'by group' });
    assert.equal((await groups.next('message')).message, 'by group');
    await assert.rejects(reader.ask('channelGroups.listChannels', { channelGroup: 'g' }), denied);

    const { client: person } = await withToken(t, 'person', { resources: { uuids: { person: { get: true, update: true } }, channels: { [channel]: { join: true, get: true } } } });
    await person.ask('objects.setUUIDMetadata', { data: { name: 'P' } });
    assert.equal((await person.ask('objects.getUUIDMetadata', {})).data.name, 'P');
    await person.ask('objects.setMemberships', { channels: [channel] });
    await assert.rejects(person.ask('objects.setMemberships', { channels: [other] }), denied);
    await assert.rejects(person.ask('objects.removeUUIDMetadata', {}), denied);
    await assert.rejects(person.ask('objects.getUUIDMetadata', { uuid: 'somebody' }), denied);
    await assert.rejects(person.ask('objects.setChannelMetadata', { channel, data: { name: 'x' } }), denied);
  });

  test('patterns', async (t) => {
    const root = fresh('room');
    const { client } = await withToken(t, 'alice', { patterns: { channels: { [`^${root}-[0-9]+$`]: { read: true, write: true } } } });
    await client.subscribe(`${root}-12`);
    await client.ask('publish', { channel: `${root}-12`, message: 1 });
    assert.equal((await client.next('message')).message, 1);
    await assert.rejects(client.ask('publish', { channel: `${root}-x`, message: 1 }), forbidden(`${root}-x`));
  });

  test('a token is for whom it was made', async (t) => {
    const channel = fresh('channel');
    const resources = { channels: { [channel]: { write: true } } };
    const { client, token } = await withToken(t, 'alice', { resources, authorized_uuid: 'alice' });
    await client.ask('publish', { channel, message: 1 });
    const mallory = place.strict(t, 'mallory');
    mallory.pubnub.setToken(token);
    await assert.rejects(mallory.ask('publish', { channel, message: 1 }), denied);
  });

  test('a token that is revoked is one no more, at once and after a restart', async (t) => {
    const lone = await Place.start();
    t.after(() => lone.stop());
    const channel = fresh('channel');
    const admin = lone.strictAdmin(t);
    const grant = () => admin.ask('grantToken', { ttl: 15, resources: { channels: { [channel]: { read: true, write: true } } }, meta: { n: fresh('n') } });
    const [revoked, kept] = [lone.strict(t, 'alice'), lone.strict(t, 'bob')];
    const token = await grant();
    revoked.pubnub.setToken(token);
    kept.pubnub.setToken(await grant());
    await revoked.subscribe(channel);
    await revoked.ask('publish', { channel, message: 1 });
    assert.equal((await revoked.next('message')).message, 1);
    assert.deepEqual(await admin.ask('revokeToken', token), { status: 200, data: { message: 'Success' } });
    await assert.rejects(revoked.ask('publish', { channel, message: 2 }), denied);
    // Who listens is told too.
    await kept.ask('publish', { channel, message: 3 });
    assert.equal((await revoked.status('PNAccessDeniedCategory')).statusCode, 403);
    assert.equal(revoked.left('message'), 0);
    await lone.server.kill();
    await lone.server.restart();
    await assert.rejects(revoked.ask('publish', { channel, message: 4 }), denied);
    await kept.ask('publish', { channel, message: 5 });
    await assert.rejects(admin.ask('revokeToken', 'no token'), { statusCode: 400 });
    await assert.rejects(kept.ask('revokeToken', token), (error) => error.statusCode === 403 || /secret/i.test(error.message));
  });

  test('auth keys', async (t) => {
    const [channel, group, authKey] = [fresh('channel'), fresh('group'), fresh('auth-key')];
    const admin = place.strictAdmin(t);
    const client = place.strict(t, 'alice', { authKey });
    await assert.rejects(client.ask('publish', { channel, message: 1 }), forbidden(channel));
    assert.deepEqual(await admin.ask('grant', { channels: [channel, `${channel}-pnpres`], authKeys: [authKey], read: true, write: true, ttl: 10 }), {});
    await client.subscribeTo({ channels: [channel], withPresence: true });
    await client.ask('publish', { channel, message: 1 });
    assert.equal((await client.next('message')).message, 1);
    await assert.rejects(client.ask('deleteMessages', { channel }), denied);
    await admin.ask('grant', { channelGroups: [group], authKeys: [authKey], manage: true, read: true, ttl: 10 });
    await client.ask('channelGroups.listChannels', { channelGroup: group });
    await admin.ask('grant', { uuids: ['alice'], authKeys: [authKey], get: true, update: true, ttl: 10 });
    await client.ask('objects.setUUIDMetadata', { data: { name: 'Alice' } });
    // To everybody on a channel, and taken away again.
    const anyone = place.strict(t, 'anyone');
    const open = fresh('open');
    await admin.ask('grant', { channels: [open], write: true, ttl: 10 });
    await anyone.ask('publish', { channel: open, message: 1 });
    await admin.ask('grant', { channels: [open], write: false, ttl: 10 });
    await assert.rejects(anyone.ask('publish', { channel: open, message: 1 }), forbidden(open));
    await assert.rejects(anyone.ask('publish', { channel, message: 1 }), forbidden(channel));
  });

  test('who signs may do everything, and signs rightly', async (t) => {
    const channel = fresh('signed ü');
    const admin = place.strictAdmin(t);
    await admin.subscribeTo({ channels: [channel], withPresence: true });
    await admin.ask('publish', { channel, message: { a: "it's (ü)! *" }, meta: { 'x y': '~!*()\'' } });
    assert.deepEqual((await admin.next('message')).userMetadata, { 'x y': "~!*()'" });
    await admin.ask('objects.getAllUUIDMetadata', { sort: { name: 'asc', updated: 'desc' }, filter: "name LIKE '*'" });
    // A signature is good for a minute.
    const url = `${place.server.url}/v2/history/sub-key/${STRICT.subscribeKey}/channel/c?count=1&timestamp=1600000000&uuid=admin&signature=v2.AAAA`;
    assert.equal((await fetch(url)).status, 403);
  });
});
