// Who passes a rate is told when to come back: in the acknowledgement, or in the error that refuses a connection.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Server } from '../harness/server.mjs';
import { connect, ok, problem, refused } from '../harness/sockets.mjs';
import { ALL, org } from '../harness/tokens.mjs';

const KEY = 'acme-all-0123456789';
const TWO = '{ per_second = 0.01, burst = 2 }';
const HERE = '192.0.2.1';
const ELSEWHERE = '192.0.2.2';

/** A server whose org has these limits, and that believes its clients where they come from. */
const start = (t, limits, more = '') =>
  Server.start(t, `${more}[proxy]\ntrusted = ["127.0.0.0/8"]\n${org('acme', { [KEY]: { allow: ALL } }, `[org.limits]\n${limits}`)}`);

const who = (identity, from, more = {}) => ({
  auth: { token: KEY, identity },
  extraHeaders: { 'X-Forwarded-For': from },
  ...more,
});

/** A problem that says when to come back: in a hundred seconds less what the test has taken. */
function limited({ word, type, status, detail, retry_after }, whose) {
  assert.deepEqual([word ?? type.replace('urn:antiphon:problem:', ''), status], ['rate-limited', 429]);
  assert.match(detail, new RegExp(`${whose}: try again in`));
  assert.ok(retry_after >= 40 && retry_after <= 100, retry_after);
}

for (const transports of [['polling'], ['websocket']]) {
  describe(`by ${transports}`, () => {
    const scopes = { identity: 'by this identity', address: 'from this address', org: 'in this org' };
    for (const [scope, whose] of Object.entries(scopes)) {
      test(`publishing and subscribing, by ${scope}`, async (t) => {
        const server = await start(t, `publish_rate_per_${scope} = ${TWO}\nsubscribe_rate_per_${scope} = ${TWO}`);
        const ann = await connect(t, server.url, who('ann', HERE, { transports }));
        await ok(ann, 'publish', 'a', 1);
        await ok(ann, 'broadcast', 'a', 2, { timeout: 1 });
        limited(await problem(ann, 'publish', 'a', 3), whose);
        limited(await problem(ann, 'broadcast', 'a', 3), whose);
        await ok(ann, 'subscribe', ['a', 'b']);
        limited(await problem(ann, 'subscribe', 'c'), whose);
        const bob = await connect(t, server.url, who('bob', ELSEWHERE, { transports }));
        for (const [event, ...values] of [['publish', 'a', 1], ['subscribe', 'a']]) {
          if (scope === 'org') limited(await problem(bob, event, ...values), whose);
          else await ok(bob, event, ...values);
        }
      });

      test(`connecting, by ${scope}`, async (t) => {
        const server = await start(t, `connect_rate_per_${scope} = ${TWO}`);
        const first = await connect(t, server.url, who('ann', HERE, { transports }));
        first.disconnect();
        await connect(t, server.url, who('ann', HERE, { transports }));
        const error = await refused(t, server.url, who('ann', HERE, { transports }));
        assert.match(error.message, new RegExp(`too many new connections ${whose}`));
        limited(error.data, whose);
        const other = who('bob', ELSEWHERE, { transports });
        if (scope === 'org') limited((await refused(t, server.url, other)).data, whose);
        else await connect(t, server.url, other);
      });
    }

    test('guesses of an address are refused before they are looked at', async (t) => {
      const server = await start(t, '', `[limits]\nfailed_credentials_per_address = ${TWO}\n`);
      const guess = { ...who('ann', HERE, { transports }), auth: { token: 'a-guess-0123456789' } };
      for (let n = 0; n < 2; n++) assert.equal((await refused(t, server.url, guess)).data.status, 401);
      limited((await refused(t, server.url, guess)).data, 'from this address were not valid');
      limited((await refused(t, server.url, who('ann', HERE, { transports }))).data, 'from this address were not valid');
      await connect(t, server.url, who('ann', ELSEWHERE, { transports }));
    });
  });
}

test('the names of channels are of the characters that the org says', async (t) => {
  const server = await start(t, 'channel_name_characters = "printable-ascii"');
  const ann = await connect(t, server.url, who('ann', HERE));
  await ok(ann, 'publish', 'a b', 1);
  for (const [event, ...values] of [['publish', 'ä', 1], ['subscribe', ['a', 'ä']], ['broadcast', 'ä', 1], ['history', 'ä'], ['presence', 'ä']]) {
    const found = await problem(ann, event, ...values);
    assert.deepEqual([found.word, found.status, found.parameter, found.channel], ['invalid-parameter', 400, 'channel', 'ä'], event);
    assert.match(found.detail, /'ä' is none of/);
  }
});
