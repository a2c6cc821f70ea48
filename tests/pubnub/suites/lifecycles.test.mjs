// What becomes of it in time: polls that end without a message, connections that drop, a server that is killed.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Gate } from '../../exp/harness/gate.mjs';
import { WAYS } from '../harness/keysets.mjs';
import { Place, fresh } from '../harness/session.mjs';

const [PLAIN, TOKEN] = WAYS;

describe('in time', { concurrency: 4 }, () => {
  test('polls that end without a message go on', async (t) => {
    const place = await Place.start('[pubnub]\nsubscribe_wait_max = "1s"\n');
    t.after(() => place.stop());
    const [client, publisher] = [await place.client(t, PLAIN), await place.client(t, PLAIN)];
    const channel = fresh('quiet');
    const { currentTimetoken } = await client.subscribe(channel);
    // Meanwhile two polls by hand come back with nothing.
    let t0 = currentTimetoken;
    for (let polls = 0; polls < 2; polls++) {
      const response = await fetch(`${place.server.url}/v2/subscribe/${PLAIN.keyset.subscribeKey}/${channel}/0?uuid=raw&tt=${t0}`);
      const { t: next, m } = await response.json();
      assert.deepEqual([response.status, m, BigInt(next.t) >= BigInt(t0), next.r > 0], [200, [], true, true]);
      t0 = next.t;
    }
    await publisher.ask('publish', { channel, message: 'at last' });
    const { message, timetoken } = await client.next('message');
    assert.equal(message, 'at last');
    assert.ok(BigInt(timetoken) > BigInt(currentTimetoken));
    assert.equal(client.left('message'), 0);
  });

  test('a connection that drops loses nothing', async (t) => {
    const place = await Place.start();
    t.after(() => place.stop());
    const gate = await Gate.to(t, place.server.url);
    const channel = fresh('dropped');
    const publisher = await place.client(t, PLAIN);
    const client = await place.client(t, PLAIN, undefined, { origin: new URL(gate.url).host });
    await client.subscribe(channel);
    let sent = 0;
    const publish = () => publisher.ask('publish', { channel, message: ++sent });
    await publish();
    assert.equal((await client.next('message')).message, 1);
    // By the same gate, after the SDK has begun to poll again: so that there is something to cut.
    await client.ask('time');
    gate.cut();
    await client.status('PNNetworkIssuesCategory');
    for (let n = 0; n < 20; n++) await publish();
    await client.status('PNReconnectedCategory');
    await publish();
    const heard = await client.nextOnes('message', 21);
    assert.deepEqual(heard.map(({ message }) => message), Array.from({ length: 21 }, (_, n) => n + 2));
    assert.equal(client.left('message'), 0);
  });

  test('a subscriber whose channels change under way hears each message once', async (t) => {
    const place = await Place.start();
    t.after(() => place.stop());
    const [client, publisher] = [await place.client(t, PLAIN), await place.client(t, PLAIN)];
    const channel = fresh('steady');
    await client.subscribe(channel);
    const others = [];
    for (let n = 1; n <= 300; n++) {
      if (n % 10 === 0) {
        // The SDK drops its poll, shakes hands anew, and goes on where it was.
        if (others.length > 2) client.pubnub.unsubscribe({ channels: [others.shift()] });
        others.push(fresh('other'));
        client.pubnub.subscribe({ channels: [others.at(-1)] });
      }
      await publisher.ask('publish', { channel, message: n });
    }
    const heard = await client.nextOnes('message', 300);
    assert.deepEqual(heard.map(({ message }) => message), Array.from({ length: 300 }, (_, n) => n + 1));
    assert.equal(client.left('message'), 0);
  });

  for (const way of [PLAIN, TOKEN]) {
    test(`what was answered is there after a crash, ${way.name}`, async (t) => {
      const place = await Place.start();
      t.after(() => place.stop());
      const [client, publisher] = [await place.client(t, way, 'alice'), await place.client(t, way, 'bob')];
      const [channel, group] = [fresh('kept'), fresh('group')];
      const device = { device: 'device', pushGateway: 'gcm' };
      await client.ask('channelGroups.addChannels', { channels: [channel], channelGroup: group });
      await client.subscribeTo({ channelGroups: [group] });
      const tokens = [];
      for (let n = 1; n <= 3; n++) tokens.push((await publisher.ask('publish', { channel, message: n, meta: { n } })).timetoken);
      const { data: action } = await publisher.ask('addMessageAction', { channel, messageTimetoken: tokens[0], action: { type: 'r', value: 'v' } });
      const { data: user } = await client.ask('objects.setUUIDMetadata', { data: { name: 'Alice', custom: { n: 1 } } });
      await client.ask('objects.setMemberships', { channels: [{ id: channel, custom: { role: 'x' } }] });
      await client.ask('push.addChannels', { ...device, channels: ['a'] });
      const file = await client.ask('sendFile', { channel, file: { data: 'text', name: 'a.txt' } });
      await client.ask('deleteMessages', { channel, start: tokens[0], end: tokens[1] });
      await client.nextOnes('message', 3);
      await client.next('file');

      await place.server.kill();
      await client.status('PNNetworkIssuesCategory');
      await place.server.restart();
      const { timetoken } = await publisher.ask('publish', { channel, message: 'after' });
      // By its group, and after what it had seen.
      const heard = await client.next('message', 15_000);
      assert.deepEqual([heard.message, heard.timetoken, heard.subscription], ['after', timetoken, group]);
      assert.ok(BigInt(timetoken) > BigInt(file.timetoken));

      const { channels } = await client.ask('fetchMessages', { channels: [channel], includeMessageActions: true, includeMeta: true });
      assert.deepEqual(channels[channel].map((message) => [message.timetoken, message.meta]), [
        [tokens[0], { n: 1 }],
        [tokens[2], { n: 3 }],
        [file.timetoken, undefined],
        [timetoken, undefined],
      ]);
      const { uuid, actionTimetoken } = action;
      assert.deepEqual(channels[channel][0].actions, { r: { v: [{ uuid, actionTimetoken }] } });
      assert.deepEqual((await client.ask('objects.getUUIDMetadata', {})).data, user);
      const { data } = await client.ask('objects.getMemberships', { include: { customFields: true } });
      assert.deepEqual(data.map(({ channel, custom }) => [channel.id, custom]), [[channel, { role: 'x' }]]);
      assert.deepEqual(await client.ask('push.listChannels', device), { channels: ['a'] });
      const downloaded = await client.ask('downloadFile', { channel, id: file.id, name: 'a.txt' });
      assert.equal(await downloaded.toString('utf8'), 'text');
    });
  }
});
