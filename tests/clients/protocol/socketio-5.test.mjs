// Socket.IO protocol 5, by hand, against the conformance server.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { within } from '../harness/deadline.mjs';
import { ConformanceServer, PING_INTERVAL_MS, PING_TIMEOUT_MS, REFERENCE } from '../harness/server.mjs';
import { Polling, Socket } from '../harness/wire.mjs';

// The conformance server waits this long for a CONNECT.
const CONNECT_TIMEOUT_MS = 1000;

let server;
let base;
before(async () => {
  server = await ConformanceServer.start();
  base = `${server.url}/socket.io/`;
});
after(() => server?.kill());

async function direct() {
  const socket = new Socket(`${base}?EIO=4&transport=websocket`);
  await socket.next();
  return socket;
}

/** A socket in `/`, everything that comes with that read. */
async function connected() {
  const socket = await direct();
  socket.send('40');
  assert.match(await socket.nextEvent(), /^40\{"sid":"[^"]+"\}$/);
  assert.equal(await socket.nextEvent(), '42["auth",{}]');
  return socket;
}

describe('connect', () => {
  for (const [what, connect, answer, auth] of [
    ['the main namespace', '40', '40', '42["auth",{}]'],
    ['the main namespace by its name', '40/,', '40', '42["auth",{}]'],
    ['the main namespace with auth', '40{"token":"ü"}', '40', '42["auth",{"token":"ü"}]'],
    ['another namespace', '40/custom,', '40/custom,', '42/custom,["auth",{}]'],
    ['another namespace without its comma', '40/custom', '40/custom,', '42/custom,["auth",{}]'],
    ['another namespace with auth', '40/custom,{"n":[1]}', '40/custom,', '42/custom,["auth",{"n":[1]}]'],
  ]) {
    test(what, async () => {
      const socket = await direct();
      socket.send(connect);
      const connected = await socket.nextEvent();
      assert.ok(connected.startsWith(`${answer}{`), connected);
      const said = JSON.parse(connected.slice(answer.length));
      assert.deepEqual(Object.keys(said), ['sid']);
      assert.equal(said.sid.length, 20);
      assert.equal(await socket.nextEvent(), auth);
      socket.close();
    });
  }

  test('each namespace gives an id of its own, and none is that of the session', async () => {
    const socket = new Socket(`${base}?EIO=4&transport=websocket`);
    const { sid } = JSON.parse((await socket.next()).slice(1));
    socket.send('40', '40/custom,');
    const messages = [];
    while (messages.length < 4) messages.push(await socket.nextEvent());
    const ids = messages.filter((text) => text.startsWith('40')).map((text) => JSON.parse(text.replace(/^[^{]*/, '')).sid);
    assert.equal(new Set([sid, ...ids]).size, 3);
    socket.close();
  });

  test('an unknown namespace is refused, and the rest goes on', async () => {
    const socket = await connected();
    socket.send('40/random,', '40/random,{"token":1}', '420["message-with-ack"]');
    assert.equal(await socket.nextEvent(), '44/random,{"message":"Invalid namespace"}');
    assert.equal(await socket.nextEvent(), '44/random,{"message":"Invalid namespace"}');
    assert.equal(await socket.nextEvent(), '430[]');
    socket.close();
  });

  test('who connects nowhere is sent away', async () => {
    const begun = performance.now();
    const socket = await direct();
    for (;;) {
      const message = await Promise.race([socket.next(), socket.closed().then(() => undefined)]).catch(() => undefined);
      if (message === undefined) break;
      if (message === '2') socket.send('3');
    }
    await socket.closed();
    assert.ok(performance.now() - begun > CONNECT_TIMEOUT_MS - 50);
    assert.ok(performance.now() - begun < 4 * CONNECT_TIMEOUT_MS);
  });
});

describe('disconnect', () => {
  test('of one namespace leaves the other', async () => {
    const socket = await connected();
    socket.send('40/custom,');
    await socket.nextEvent();
    await socket.nextEvent();
    socket.send('41/custom,', '42["message","here"]');
    assert.equal(await socket.nextEvent(), '42["message-back","here"]');
    socket.close();
  });

  test('of the only one leaves the connection, for a while', async () => {
    const socket = await connected();
    socket.send('41');
    assert.equal(await socket.next(), '2');
    socket.close();
  });

  test('what was sent before it is handled', async (t) => {
    if (REFERENCE) {
      t.skip('the reference drops what it has not begun with');
      return;
    }
    const socket = await connected();
    socket.send('42["message","last words"]', '41');
    assert.equal(await socket.nextEvent(), '42["message-back","last words"]');
    socket.close();
  });
});

describe('events', () => {
  for (const [what, sent, answer] of [
    ['without values', '42["message"]', '42["message-back"]'],
    ['several values', '42["message",1,"2",{"3":[true,null]}]', '42["message-back",1,"2",{"3":[true,null]}]'],
    ['text beyond the first plane', '42["message","ü🎶"]', '42["message-back","ü🎶"]'],
    ['an acknowledgement', '42456["message-with-ack",1,"2",{"3":[false]}]', '43456[1,"2",{"3":[false]}]'],
    ['an acknowledgement without values', '420["message-with-ack"]', '430[]'],
    ['the largest id', '429007199254740991["message-with-ack"]', '439007199254740991[]'],
  ]) {
    test(what, async () => {
      const socket = await connected();
      socket.send(sent);
      assert.equal(await socket.nextEvent(), answer);
      socket.close();
    });
  }

  test('attachments', async () => {
    const socket = await connected();
    const [one, two] = [Buffer.from([1, 2, 3]), Buffer.from([4, 5])];
    const values = '{"_placeholder":true,"num":0},"and",{"deep":[{"_placeholder":true,"num":1}]}';
    socket.send(`452-["message",${values}]`, one, two);
    assert.equal(await socket.nextEvent(), `452-["message-back",${values}]`);
    assert.deepEqual(await socket.nextEvent(), one);
    assert.deepEqual(await socket.nextEvent(), two);
    socket.send(`452-789["message-with-ack",${values}]`, one, two);
    assert.equal(await socket.nextEvent(), `462-789[${values}]`);
    assert.deepEqual(await socket.nextEvent(), one);
    assert.deepEqual(await socket.nextEvent(), two);
    socket.close();
  });

  test('by polling', async () => {
    const polling = await Polling.open(base, 4);
    await polling.post('40');
    let text = '';
    while (!text.includes('auth')) text += await polling.polled();
    await polling.post('42["message","ü🎶"]\x1e451-["message",{"_placeholder":true,"num":0}]\x1ebAQID');
    const packets = (await polling.polled()).split('\x1e').filter((packet) => packet !== '2');
    assert.deepEqual(packets, [
      '42["message-back","ü🎶"]',
      '451-["message-back",{"_placeholder":true,"num":0}]',
      'bAQID',
    ]);
  });

  test('in order, also when they come in one go', async () => {
    const socket = await connected();
    const numbers = Array.from({ length: 1000 }, (_, i) => i);
    socket.send(...numbers.map((i) => `42["message",${i}]`));
    for (const i of numbers) assert.equal(await socket.nextEvent(), `42["message-back",${i}]`);
    socket.close();
  });
});

describe('what is no packet ends the connection:', () => {
  const attachment = Buffer.from([1]);
  const placeholder = '{"_placeholder":true,"num":0}';
  for (const [what, ...messages] of [
    ['an unknown type', '4abc'],
    ['an event that is no list', '42{}'],
    ['an event without a name', '42[]'],
    ['an event whose name is an object', '42[{}]'],
    ['an id that is no number', '42abc["message-with-ack",1]'],
    ['broken JSON', '42["message",'],
    ['JSON and more', '42["message"]x'],
    ['bytes that nobody announced', attachment],
    ['text where an attachment is due', `451-["message",${placeholder}]`, '42["message"]'],
    ['a number of attachments that is none', '45x-["message"]'],
    ['a negative number of attachments', '45-1-["message"]'],
    ['a placeholder without attachment', `451-["message",{"_placeholder":true,"num":1}]`, attachment],
    ['a placeholder whose number is a name', `451-["message",{"_placeholder":true,"num":"splice"}]`, attachment],
    ['an acknowledgement that is no list', '431{}'],
    ['a refusal from the client', '44{"message":"no"}'],
    ...(REFERENCE
      ? []
      : [
          ['more attachments than are allowed', `4511-["message",${Array(11).fill(0)}]`],
          ['a nesting that is too deep', `42["message",${'['.repeat(5000)}${']'.repeat(5000)}]`],
        ]),
  ]) {
    test(what, async (t) => {
      const socket = await connected();
      t.after(() => socket.terminate());
      socket.send(...messages);
      await within(socket.closed(), 'end', PING_INTERVAL_MS + PING_TIMEOUT_MS - 100);
    });
  }

  test('and an event before CONNECT', async () => {
    const socket = await direct();
    socket.send('42["message"]');
    await within(socket.closed(), 'end', PING_INTERVAL_MS + PING_TIMEOUT_MS + CONNECT_TIMEOUT_MS);
  });

  test('a second CONNECT does not make a second socket', async () => {
    const socket = await connected();
    socket.send('40', '42["message",1]');
    const got = [];
    const closed = socket.closed().then(() => 'closed');
    // Answered anew, ignored, or closed; but the message is answered once at most.
    for (;;) {
      const message = await Promise.race([socket.nextEvent().catch(() => 'closed'), closed]);
      if (message === 'closed') break;
      got.push(message);
    }
    assert.ok(got.filter((text) => text.includes('message-back')).length <= 1, got.join(' '));
  });
});
