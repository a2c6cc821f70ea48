// Files and push registrations, with the SDK on Node, in each way in which clients come.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { within } from '../../clients/harness/deadline.mjs';
import { Place, fresh, inEachWay } from '../harness/session.mjs';

const TIMETOKEN = /^\d{17}$/;
const BYTES = Buffer.from(Array.from({ length: 100_000 }, (_, n) => (n * 7919) % 251));

let place;
before(async () => (place = await Place.start('[pubnub]\nfile_bytes_max = 1048576\n')));
after(() => place?.stop());

inEachWay((way) =>
  describe(way.name, { concurrency: 3 }, () => {
    const send = (client, channel, name, data, more = {}) => client.ask('sendFile', { channel, file: { data, name, mimeType: 'text/plain' }, ...more });

    test('a file is sent, heard of, listed, fetched and deleted', async (t) => {
      const channel = fresh('files');
      const [alice, bob] = [await place.client(t, way, 'alice'), await place.client(t, way, 'bob')];
      await bob.subscribe(channel);
      const sent = await send(alice, channel, 'cat.txt', BYTES, { message: { text: 'ü' }, meta: { m: 1 } });
      assert.match(sent.timetoken, TIMETOKEN);
      assert.deepEqual([sent.name, typeof sent.id], ['cat.txt', 'string']);
      const { url, ...told } = await bob.next('file').then(({ file: { url, ...file }, ...told }) => ({ ...told, file, url }));
      assert.deepEqual({ ...told, subscription: undefined }, {
        channel,
        subscription: undefined,
        timetoken: sent.timetoken,
        publisher: 'alice',
        userMetadata: { m: 1 },
        message: { text: 'ü' },
        file: { id: sent.id, name: 'cat.txt' },
      });
      // As a page fetches it by the address that it is told, and part of it.
      const whole = await within(fetch(url), 'file');
      assert.deepEqual([whole.status, Buffer.from(await whole.arrayBuffer()).equals(BYTES)], [200, true]);
      const redirect = await within(fetch(url, { redirect: 'manual' }), 'redirect');
      assert.equal(redirect.status, 307);
      const part = await within(fetch(url, { headers: { Range: 'bytes=10-19' } }), 'part of a file');
      assert.deepEqual([part.status, Buffer.from(await part.arrayBuffer())], [206, BYTES.subarray(10, 20)]);
      const file = await bob.ask('downloadFile', { channel, id: sent.id, name: sent.name });
      assert.deepEqual([file.name, (await file.toBuffer()).equals(BYTES)], ['cat.txt', true]);

      const listed = await alice.ask('listFiles', { channel });
      const { created, ...item } = listed.data[0];
      assert.ok(Math.abs(Date.parse(created) - Date.now()) < 60_000);
      assert.deepEqual([item, listed.data.length, listed.count, listed.status], [{ name: 'cat.txt', id: sent.id, size: BYTES.length }, 1, 1, 200]);

      assert.deepEqual(await alice.ask('deleteFile', { channel, id: sent.id, name: sent.name }), { status: 200 });
      assert.deepEqual((await alice.ask('listFiles', { channel })).data, []);
      await assert.rejects(bob.ask('downloadFile', { channel, id: sent.id, name: sent.name }), { statusCode: 404 });
    });

    test('files are in history, with their type', async (t) => {
      const channel = fresh('files');
      const client = await place.client(t, way, 'alice');
      const sent = await send(client, channel, 'a.txt', 'text ü', { message: 'look' });
      await send(client, channel, 'b.txt', 'not stored', { storeInHistory: false });
      const { channels } = await client.ask('fetchMessages', { channels: [channel] });
      assert.deepEqual(
        channels[channel].map(({ message, messageType, timetoken }) => ({ message, messageType, timetoken })),
        [{ message: { message: 'look', file: { id: sent.id, name: 'a.txt' } }, messageType: 4, timetoken: sent.timetoken }],
      );
      const file = await client.ask('downloadFile', { channel, id: sent.id, name: 'a.txt' });
      assert.equal(await file.toString('utf8'), 'text ü');
    });

    test('lists of files come in pages', async (t) => {
      const channel = fresh('files');
      const client = await place.client(t, way);
      const ids = new Set();
      for (const name of ['a', 'b', 'c']) ids.add((await send(client, channel, name, name)).id);
      const seen = new Set();
      let next;
      for (let pages = 0; pages < 3 && (pages === 0 || next); pages++) {
        const page = await client.ask('listFiles', { channel, limit: 2, next });
        assert.ok(page.data.length <= 2 && page.count === page.data.length);
        for (const { id } of page.data) seen.add(id);
        next = page.next;
      }
      assert.deepEqual(seen, ids);
    });

    test('a file that is too large is refused', async (t) => {
      const client = await place.client(t, way);
      const channel = fresh('files');
      await assert.rejects(send(client, channel, 'large', Buffer.alloc((1 << 20) + 1)), /Upload to bucket failed/);
      assert.deepEqual((await client.ask('listFiles', { channel })).data, []);
    });

    test('an encrypted file', async (t) => {
      const channel = fresh('files');
      const client = await place.client(t, way, 'alice');
      const sent = await send(client, channel, 'secret.txt', 'a secret', { cipherKey: 'enigma' });
      const file = await client.ask('downloadFile', { channel, id: sent.id, name: sent.name, cipherKey: 'enigma' });
      assert.equal(await file.toString('utf8'), 'a secret');
      const raw = await client.ask('downloadFile', { channel, id: sent.id, name: sent.name });
      assert.notEqual(await raw.toString('utf8'), 'a secret');
    });

    const DEVICES = [
      ['gcm', { device: fresh('gcm-device'), pushGateway: 'gcm' }],
      ['apns', { device: 'ab'.repeat(32), pushGateway: 'apns' }],
      ['apns2', { device: 'cd'.repeat(32), pushGateway: 'apns2', environment: 'production', topic: 'com.example.app' }],
    ];
    for (const [gateway, device] of DEVICES) {
      test(`a device is registered for push: ${gateway}`, async (t) => {
        const client = await place.client(t, way);
        const list = async () => (await client.ask('push.listChannels', device)).channels.sort();
        assert.deepEqual(await list(), []);
        assert.deepEqual(await client.ask('push.addChannels', { ...device, channels: ['a', 'b', 'c ü'] }), {});
        assert.deepEqual(await list(), ['a', 'b', 'c ü']);
        await client.ask('push.addChannels', { ...device, channels: ['a'] });
        assert.deepEqual(await client.ask('push.removeChannels', { ...device, channels: ['a', 'c ü'] }), {});
        assert.deepEqual(await list(), ['b']);
        assert.deepEqual(await client.ask('push.deleteDevice', device), {});
        assert.deepEqual(await list(), []);
      });
    }

    test('a device of Apple\'s has a token of its form', async (t) => {
      const client = await place.client(t, way);
      await assert.rejects(client.ask('push.addChannels', { device: 'nohex', pushGateway: 'apns', channels: ['a'] }), (error) => {
        assert.deepEqual([error.statusCode, error.answer.error], [400, 'Expected 32 or 100 byte hex device token']);
        return true;
      });
    });
  }),
);
