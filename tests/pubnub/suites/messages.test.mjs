// Publishing and subscribing with the SDK on Node, in each way in which clients come.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { deflateSync, gzipSync } from 'node:zlib';
import { WAYS } from '../harness/keysets.mjs';
import { Place, fresh, inEachWay } from '../harness/session.mjs';

const TIMETOKEN = /^\d{17}$/;
const PAYLOADS = [
  { text: 'hello?' },
  [1, 'two', { three: [3, null, true, false] }],
  'text',
  'Grüße, мир, 日本語 𝄞 👩‍👩‍👧 "quoted" \\ \u2028 \n / ? # % + &',
  -1.5,
  9007199254740991,
  true,
  {},
  [],
  { '': '', 'клю́ч': { deep: [[[[['☕']]]]] } },
];

let place;
before(async () => (place = await Place.start()));
after(() => place?.stop());

inEachWay((way) =>
  describe(way.name, { concurrency: 4 }, () => {
    test('the time is a number that grows', async (t) => {
      const client = await place.client(t, way);
      const { timetoken: first } = await client.ask('time');
      const { timetoken: second } = await client.ask('time');
      assert.equal(typeof first, 'number');
      assert.match(String(first), TIMETOKEN);
      assert.ok(second >= first);
      assert.ok(Math.abs(first / 10_000 - Date.now()) < 5000);
    });

    for (const [how, options] of Object.entries({ GET: {}, POST: { sendByPost: true } })) {
      test(`every payload comes as it went, by ${how}`, async (t) => {
        const channel = fresh('payloads');
        const [alice, bob] = [await place.client(t, way, 'alice'), await place.client(t, way, 'bob')];
        const connected = await bob.subscribe(channel);
        assert.deepEqual(
          [connected.affectedChannels, connected.subscribedChannels, connected.affectedChannelGroups, connected.operation],
          [[channel], [channel], [], 'PNSubscribeOperation'],
        );
        let last = connected.currentTimetoken;
        assert.match(last, TIMETOKEN);
        for (const message of PAYLOADS) {
          const published = await alice.ask('publish', { channel, message, ...options });
          assert.deepEqual(Object.keys(published), ['timetoken']);
          const { timetoken } = published;
          assert.match(timetoken, TIMETOKEN);
          assert.ok(BigInt(timetoken) > BigInt(last), 'timetokens grow');
          last = timetoken;
          const expected = { channel, subscription: null, actualChannel: null, subscribedChannel: channel, timetoken, publisher: 'alice', message };
          assert.deepEqual(await bob.next('message'), expected);
        }
      });
    }

    test('names with all sorts of characters', async (t) => {
      const names = ['a/b', 'a b', 'ü#?%&=+', '日本', "it's (!)", 'a:b;c', '%2F', '..', 'a*', '*.b'].map((name) => `${fresh('')}${name}`);
      const client = await place.client(t, way, 'Grüße / 1');
      await client.subscribe(...names);
      for (const channel of names) {
        const { timetoken } = await client.ask('publish', { channel, message: channel });
        const { publisher, ...heard } = await client.next('message');
        assert.deepEqual([heard.channel, heard.message, heard.timetoken, publisher], [channel, channel, timetoken, 'Grüße / 1']);
      }
    });

    test('meta comes along', async (t) => {
      const channel = fresh('meta');
      const client = await place.client(t, way);
      await client.subscribe(channel);
      await client.ask('publish', { channel, message: 1, meta: { lang: 'de', n: [1, { deep: 'ü' }] } });
      assert.deepEqual((await client.next('message')).userMetadata, { lang: 'de', n: [1, { deep: 'ü' }] });
      await client.ask('publish', { channel, message: 2, meta: { by: 'POST' }, sendByPost: true });
      assert.deepEqual((await client.next('message')).userMetadata, { by: 'POST' });
      await client.ask('publish', { channel, message: 3, ttl: 10, storeInHistory: true });
      assert.equal('userMetadata' in (await client.next('message')), false);
    });

    test('signals are heard as signals', async (t) => {
      const channel = fresh('signals');
      const client = await place.client(t, way, 'sam');
      await client.subscribe(channel);
      const { timetoken } = await client.ask('signal', { channel, message: { typing: true } });
      assert.match(timetoken, TIMETOKEN);
      assert.deepEqual(await client.next('signal'), { channel, subscription: null, timetoken, publisher: 'sam', message: { typing: true } });
      await client.ask('publish', { channel, message: 'last' });
      assert.equal((await client.next('message')).message, 'last');
      await assert.rejects(client.ask('signal', { channel, message: 'x'.repeat(100) }), (error) => {
        assert.deepEqual([error.statusCode, error.category], [400, 'PNBadRequestCategory']);
        assert.deepEqual([error.answer[0], error.answer[1]], [0, 'Signal size too large']);
        return true;
      });
    });

    test('a fire answers as a publish does', async (t) => {
      const channel = fresh('fired');
      const client = await place.client(t, way);
      await client.subscribe(channel);
      assert.match((await client.ask('fire', { channel, message: 'fire' })).timetoken, TIMETOKEN);
      await client.ask('publish', { channel, message: 'published' });
      assert.equal((await client.next('message')).message, 'published', 'what is fired reaches no subscriber');
    });

    test('what is too large is refused', async (t) => {
      const channel = fresh('large');
      const client = await place.client(t, way);
      await client.subscribe(channel);
      const large = 'x'.repeat(30_000);
      await client.ask('publish', { channel, message: large, sendByPost: true });
      assert.equal((await client.next('message')).message, large);
      await client.ask('publish', { channel, message: large });
      assert.equal((await client.next('message')).message, large);
      await assert.rejects(client.ask('publish', { channel, message: 'x'.repeat(40_000), sendByPost: true }), (error) => {
        assert.deepEqual([error.statusCode, error.category, error.answer[0], error.answer[1]], [400, 'PNBadRequestCategory', 0, 'Message Too Large']);
        assert.match(error.answer[2], TIMETOKEN);
        return true;
      });
    });

    test('an address that is too long is refused', async (t) => {
      const client = await place.client(t, way);
      await assert.rejects(client.ask('publish', { channel: fresh('long'), message: 'ü'.repeat(10_300) }), (error) => {
        assert.equal(error.statusCode, 414, error.message);
        assert.deepEqual(error.answer, { message: 'Request URI Too Long', error: true, service: 'Balancer', status: 414 });
        return true;
      });
    });

    test('keys that no org has', async (t) => {
      const client = await place.client(t, way);
      client.pubnub._config.subscribeKey = 'sub-nobody';
      await assert.rejects(client.ask('publish', { channel: 'c', message: 1 }), (error) => {
        assert.deepEqual([error.statusCode, error.category], [400, 'PNBadRequestCategory']);
        return true;
      });
      client.pubnub.subscribe({ channels: ['c'] });
      const status = await client.status('PNBadRequestCategory');
      assert.deepEqual([status.statusCode, status.error], [400, true]);
    });

    test('several channels are one order', async (t) => {
      const channels = [fresh('a'), fresh('b'), fresh('c')];
      const client = await place.client(t, way);
      await client.subscribe(...channels);
      const published = await Promise.all(
        Array.from({ length: 60 }, (_, n) => client.ask('publish', { channel: channels[n % 3], message: n + 1 })),
      );
      const order = published.map(({ timetoken }, n) => [timetoken, n + 1]).sort(([a], [b]) => (a < b ? -1 : 1));
      const heard = await client.nextOnes('message', 60);
      assert.deepEqual(heard.map(({ timetoken, message }) => [timetoken, message]), order);
    });

    test('a subscriber that comes and goes misses nothing', async (t) => {
      const [channel, other] = [fresh('kept'), fresh('added')];
      const [client, publisher] = [await place.client(t, way), await place.client(t, way)];
      await client.subscribe(channel);
      let n = 1;
      const publish = () => publisher.ask('publish', { channel, message: n++ });
      await publish();
      await client.subscribe(other);
      await publish();
      client.pubnub.disconnect();
      for (let more = 0; more < 5; more++) await publish();
      client.pubnub.reconnect();
      await publish();
      client.pubnub.unsubscribe({ channels: [other] });
      await publish();
      const heard = await client.nextOnes('message', n - 1);
      assert.deepEqual(heard.map(({ message }) => message), Array.from({ length: n - 1 }, (_, n) => n + 1));
      assert.equal(client.left('message'), 0);
    });

    test('an old timetoken is caught up from', async (t) => {
      const channel = fresh('old');
      const [client, publisher] = [await place.client(t, way), await place.client(t, way)];
      const tokens = [];
      for (let n = 1; n <= 5; n++) tokens.push((await publisher.ask('publish', { channel, message: n })).timetoken);
      await client.subscribeTo({ channels: [channel], timetoken: tokens[1] });
      const heard = await client.nextOnes('message', 3);
      assert.deepEqual(heard.map(({ message, timetoken }) => [message, timetoken]), [3, 4, 5].map((n) => [n, tokens[n - 1]]));
      await publisher.ask('publish', { channel, message: 'live' });
      assert.equal((await client.next('message')).message, 'live');
    });

    test('wildcards cover what is below them', async (t) => {
      const root = fresh('wild');
      const [client, publisher] = [await place.client(t, way), await place.client(t, way, 'pub')];
      await client.subscribe(`${root}.*`, `${root}.deep.*`);
      const cases = [
        [`${root}.x`, `${root}.*`],
        [`${root}.deep.y`, `${root}.deep.*`],
        [`${root}.other.z`, `${root}.*`],
      ];
      for (const [channel, subscription] of cases) {
        await publisher.ask('publish', { channel: root, message: 'not covered' });
        const { timetoken } = await publisher.ask('publish', { channel, message: channel });
        const expected = { channel, subscription, actualChannel: channel, subscribedChannel: subscription, timetoken, publisher: 'pub', message: channel };
        assert.deepEqual(await client.next('message'), expected);
      }
      await publisher.ask('signal', { channel: `${root}.x`, message: 1 });
      const { channel, subscription } = await client.next('signal');
      assert.deepEqual([channel, subscription], [`${root}.x`, `${root}.*`]);
    });

    test('a filter lets through what it says', async (t) => {
      const channel = fresh('filtered');
      const client = await place.client(t, way, undefined);
      const publish = (message, meta) => client.ask('publish', { channel, message, meta });
      const cases = [
        ["lang == 'de'", { lang: 'en' }, { lang: 'de' }],
        ["meta.n > 3 && !(meta.n >= 7)", { n: 7 }, { n: 5 }],
        ["tags CONTAINS 'x' || name LIKE 'al*'", { tags: 'abc', name: 'bob' }, { name: 'alice' }],
        ["region[\"a\"] != 'b'", { region: { a: 'b' } }, { region: { a: 'c' } }],
        ['n % 2 == 1', { n: 4 }, { n: 5 }],
      ];
      for (const [expression, not, does] of cases) {
        client.pubnub.setFilterExpression(expression);
        await client.subscribe(channel);
        await publish('not', not);
        await publish(expression, does);
        assert.equal((await client.next('message')).message, expression);
        client.pubnub.unsubscribe({ channels: [channel] });
      }
      client.pubnub.setFilterExpression("data.text == 'yes'");
      await client.subscribe(channel);
      await publish({ text: 'no' });
      await publish({ text: 'yes' });
      assert.deepEqual((await client.next('message')).message, { text: 'yes' });
    });

    test('a filter that is none is told', async (t) => {
      const client = await place.client(t, way);
      client.pubnub.setFilterExpression('a == == (');
      client.pubnub.subscribe({ channels: [fresh('filtered')] });
      const status = await client.status('PNUnknownCategory').catch(() => client.status('PNMalformedFilterExpressionCategory', 1));
      assert.equal(status.statusCode, 481);
    });

    test('unsubscribing from all ends it', async (t) => {
      const channel = fresh('over');
      const client = await place.client(t, way);
      await client.subscribe(channel);
      const left = client.status('PNUnsubscribeOperation');
      client.pubnub.unsubscribeAll();
      const status = await left;
      assert.deepEqual([status.error, status.statusCode, status.affectedChannels], [false, 200, [channel]]);
      assert.deepEqual(client.pubnub.getSubscribedChannels(), []);
      await client.ask('publish', { channel, message: 1 });
      await client.subscribe(fresh('other'));
      assert.equal(client.left('message'), 0);
    });

    test('what is encrypted is not looked into', async (t) => {
      const channel = fresh('encrypted');
      const options = { cipherKey: 'enigma' };
      const [alice, eve] = [await place.client(t, way, 'alice', options), await place.client(t, way, 'eve')];
      await alice.subscribe(channel);
      await eve.subscribe(channel);
      await alice.ask('publish', { channel, message: { secret: 'ü' } });
      assert.deepEqual((await alice.next('message')).message, { secret: 'ü' });
      assert.equal(typeof (await eve.next('message')).message, 'string');
    });
  }),
);

test('a compressed body, which other SDKs send', async (t) => {
  const channel = fresh('compressed');
  const [way] = WAYS;
  const { publishKey, subscribeKey } = way.keyset;
  const client = await place.client(t, way);
  await client.subscribe(channel);
  const url = `${place.server.url}/publish/${publishKey}/${subscribeKey}/0/${channel}/0?uuid=zip`;
  // What is called gzip is the format of zlib in one of them.
  for (const [how, compress] of Object.entries({ gzip: gzipSync, zlib: deflateSync })) {
    const body = compress(JSON.stringify({ how, text: 'ü'.repeat(5000) }));
    const response = await fetch(url, { method: 'POST', body, headers: { 'Content-Encoding': 'gzip' } });
    const [one, sent, timetoken] = await response.json();
    assert.deepEqual([response.status, one, sent], [200, 1, 'Sent']);
    const heard = await client.next('message');
    assert.deepEqual([heard.message.how, heard.message.text.length, heard.timetoken, heard.publisher], [how, 5000, timetoken, 'zip']);
  }
});
