// Engine.IO revision 4, by hand, against the conformance server, which sends back each message.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { ConformanceServer, PING_INTERVAL_MS, PING_TIMEOUT_MS, REFERENCE } from '../harness/server.mjs';
import { Polling, Socket } from '../harness/wire.mjs';

const SEPARATOR = '\x1e';
const OPENING_KEYS = ['maxPayload', 'pingInterval', 'pingTimeout', 'sid', 'upgrades'];

let server;
let base;
before(async () => {
  server = await ConformanceServer.start();
  base = `${server.url}/engine.io/`;
});
after(() => server?.kill());

/** A WebSocket of its own, its handshake read. */
async function direct() {
  const socket = new Socket(`${base}?EIO=4&transport=websocket`);
  return [socket, JSON.parse((await socket.next()).slice(1))];
}

/** A polling session and a WebSocket that has probed for it. */
async function probed() {
  const polling = await Polling.open(base, 4);
  const socket = await Socket.open(`${base}?EIO=4&transport=websocket&sid=${polling.sid}`);
  socket.send('2probe');
  assert.equal(await socket.next(), '3probe');
  return [polling, socket];
}

describe('handshake', () => {
  test('by polling', async () => {
    const response = await fetch(`${base}?EIO=4&transport=polling`);
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-type'), /^text\/plain/);
    const text = await response.text();
    assert.equal(text[0], '0');
    const said = JSON.parse(text.slice(1));
    assert.deepEqual(Object.keys(said).sort(), OPENING_KEYS);
    assert.deepEqual(said.upgrades, ['websocket']);
    assert.equal(said.pingInterval, PING_INTERVAL_MS);
    assert.equal(said.pingTimeout, PING_TIMEOUT_MS);
    assert.equal(said.maxPayload, 1_000_000);
  });

  test('by WebSocket', async () => {
    const [socket, said] = await direct();
    assert.deepEqual(Object.keys(said).sort(), OPENING_KEYS);
    assert.deepEqual(said.upgrades, []);
    socket.close();
  });

  test('each session has a sid of its own', async () => {
    const sessions = await Promise.all(Array.from({ length: 20 }, () => Polling.open(base, 4)));
    assert.equal(new Set(sessions.map(({ sid }) => sid)).size, 20);
  });

  for (const [what, query, code, message] of [
    ['no transport', 'EIO=4', 0, 'Transport unknown'],
    ['an unknown transport', 'EIO=4&transport=pigeon', 0, 'Transport unknown'],
    ['an inherited name as transport', 'EIO=4&transport=constructor', 0, 'Transport unknown'],
    ['an unknown session', 'EIO=4&transport=polling&sid=nobody', 1, 'Session ID unknown'],
  ]) {
    test(`${what} is refused`, async () => {
      const response = await fetch(`${base}?${query}`);
      assert.equal(response.status, 400);
      assert.deepEqual(await response.json(), { code, message });
      if (query.includes('polling')) return;
      const socket = new Socket(`${base}?${query}`);
      assert.equal(await socket.closed(), 1006);
    });
  }

  test('a revision that is none is refused', async () => {
    for (const revision of ['', '&EIO=abc', '&EIO=5', '&EIO=-4']) {
      const response = await fetch(`${base}?transport=polling${revision}`);
      // Where revision 3 is spoken, the reference takes all but 4 for it.
      if (response.status !== 200) assert.equal(response.status, 400);
      else assert.match(await response.text(), /^\d+:0|^\0/);
    }
  });

  test('a session begins with GET', async () => {
    for (const method of ['POST', 'PUT', 'DELETE']) {
      const response = await fetch(`${base}?EIO=4&transport=polling`, { method });
      assert.equal(response.status, 400);
      assert.equal((await response.json()).code, 2);
    }
  });
});

describe('messages by polling', () => {
  test('one', async () => {
    const polling = await Polling.open(base, 4);
    assert.deepEqual(await polling.post('4hello'), { status: 200, text: 'ok' });
    assert.equal(await polling.polled(), '4hello');
  });

  test('several, and all there is in one poll', async () => {
    const polling = await Polling.open(base, 4);
    const payload = ['4one', '4', '4Grüße 🎶'].join(SEPARATOR);
    await polling.post(payload);
    await polling.post('4four');
    assert.equal(await polling.polled(), `${payload}${SEPARATOR}4four`);
  });

  test('binary as base64, among text', async () => {
    const polling = await Polling.open(base, 4);
    const payload = ['4text', 'bAAEC/f7/', 'b'].join(SEPARATOR);
    await polling.post(payload);
    assert.equal(await polling.polled(), payload);
  });

  test('a poll waits until there is something', async () => {
    const polling = await Polling.open(base, 4);
    const polled = polling.polled();
    await polling.post('4late');
    assert.equal(await polled, '4late');
  });

  test('1000 keep their order', async () => {
    const polling = await Polling.open(base, 4);
    const numbers = Array.from({ length: 1000 }, (_, i) => `4${i}`);
    for (let i = 0; i < numbers.length; i += 100) await polling.post(numbers.slice(i, i + 100).join(SEPARATOR));
    const got = [];
    while (got.length < numbers.length) got.push(...(await polling.polled()).split(SEPARATOR).filter((packet) => packet !== '2'));
    assert.deepEqual(got, numbers);
  });

  for (const [what, body] of [
    ['an unknown packet type', 'abc'],
    ['an empty payload', ''],
    // The reference makes of it what it can.
    ...(REFERENCE ? [] : [['no base64', 'b***']]),
    ['good packets before a bad one', `4good${SEPARATOR}x`],
  ]) {
    test(`${what} ends the session`, async () => {
      const polling = await Polling.open(base, 4);
      // The reference closes the connection in place of an answer, or says ok; the session is gone in either case.
      await polling.post(body).catch(() => {});
      for (let i = 0; i < 3; i++) {
        const { status, text } = await polling.poll();
        if (status === 400) return;
        assert.ok(text === '1' || text === '4good', text);
      }
      assert.fail('the session lives on');
    });
  }

  test('what is too large is refused with 413', async () => {
    const polling = await Polling.open(base, 4);
    const { status } = await polling.post(`4${'x'.repeat(1_000_001)}`).catch(() => ({ status: 413 }));
    assert.equal(status, 413);
  });

  test('two polls at once end the session', async () => {
    const polling = await Polling.open(base, 4);
    const first = polling.poll();
    const second = polling.poll();
    const answers = await Promise.all([first, second]);
    // Which of the two came first is for the network to say.
    const statuses = answers.map(({ status }) => status).sort();
    assert.equal(statuses[0], 200);
    assert.ok(statuses[1] >= 400, `${statuses}`);
    assert.equal(answers.find(({ status }) => status === 200).text, '1');
    assert.equal((await polling.poll()).status, 400);
  });

  test('a poll that is given up ends the session', async () => {
    const polling = await Polling.open(base, 4);
    const socket = connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(`GET ${new URL(polling.url).pathname}${new URL(polling.url).search} HTTP/1.1\r\nHost: test\r\n\r\n`);
    // It is answered at once if it comes first, and is a second poll beside the one given up if that is not yet known.
    socket.destroy();
    let status;
    do ({ status } = await polling.poll());
    while (status === 200);
    assert.ok(status >= 400);
    assert.equal((await polling.poll()).status, 400);
  });
});

describe('messages by WebSocket', () => {
  test('text and binary', async () => {
    const [socket] = await direct();
    const bytes = Buffer.from([0, 1, 254, 255]);
    socket.send('4Grüße 🎶', bytes, '4', Buffer.alloc(0));
    assert.equal(await socket.nextEvent(), '4Grüße 🎶');
    assert.deepEqual(await socket.nextEvent(), bytes);
    assert.equal(await socket.nextEvent(), '4');
    assert.deepEqual(await socket.nextEvent(), Buffer.alloc(0));
    socket.close();
  });

  for (const [what, message] of [
    ['an unknown packet type', 'abc'],
    ['an empty message', ''],
  ]) {
    test(`${what} ends the session`, async () => {
      const [socket] = await direct();
      socket.send(message);
      await socket.closed(PING_INTERVAL_MS + PING_TIMEOUT_MS - 100);
    });
  }
});

describe('heartbeats', () => {
  test('by polling: the first ping comes after the interval', async () => {
    const begun = performance.now();
    const polling = await Polling.open(base, 4);
    for (let i = 1; i <= 3; i++) {
      assert.equal(await polling.polled(), '2');
      assert.ok(performance.now() - begun > i * PING_INTERVAL_MS - 20);
      assert.equal((await polling.post('3')).text, 'ok');
    }
  });

  test('by WebSocket', async () => {
    const begun = performance.now();
    const [socket] = await direct();
    for (let i = 1; i <= 3; i++) {
      assert.equal(await socket.next(), '2');
      assert.ok(performance.now() - begun > i * PING_INTERVAL_MS - 20);
      socket.send('3');
    }
    socket.close();
  });

  test('who does not answer is gone', async () => {
    const begun = performance.now();
    const [polling, [socket]] = await Promise.all([Polling.open(base, 4), direct()]);
    await socket.closed();
    assert.ok(performance.now() - begun > PING_INTERVAL_MS + PING_TIMEOUT_MS - 50);
    let status;
    do ({ status } = await polling.poll());
    while (status === 200);
    assert.equal(status, 400);
  });
});

describe('the end', () => {
  test('by polling: a poll that waits is released', async () => {
    const polling = await Polling.open(base, 4);
    const polled = polling.polled();
    assert.equal((await polling.post('1')).text, 'ok');
    assert.match(await polled, /^[16]$/);
    assert.equal((await polling.poll()).status, 400);
  });

  test('by WebSocket', async () => {
    const [socket] = await direct();
    socket.send('1');
    await socket.closed();
  });
});

describe('upgrade', () => {
  test('the poll is released with a noop, and the rest goes by WebSocket', async () => {
    const [polling, socket] = await probed();
    assert.equal(await polling.polled(), '6');
    socket.send('5', '4hello');
    assert.equal(await socket.nextEvent(), '4hello');
    socket.close();
  });

  test('what was sent before, by polling, comes before', async () => {
    const [polling, socket] = await probed();
    await polling.post(['40', '41'].join(SEPARATOR));
    let got = (await polling.polled()).split(SEPARATOR);
    await polling.post('42');
    socket.send('5', '43', '44');
    while (got.length < 5) got = [...got, await socket.nextEvent()].filter((packet) => packet !== '6');
    assert.deepEqual(got, ['40', '41', '42', '43', '44']);
    socket.close();
  });

  test('what nobody polled for comes by WebSocket', async () => {
    const [polling, socket] = await probed();
    // Releases what may wait.
    await polling.polled();
    await polling.post(['40', 'bAQID', '41'].join(SEPARATOR));
    socket.send('5');
    assert.equal(await socket.nextEvent(), '40');
    assert.deepEqual(await socket.nextEvent(), Buffer.from([1, 2, 3]));
    assert.equal(await socket.nextEvent(), '41');
    socket.close();
  });

  test('polls are refused afterwards, and another WebSocket, too', async () => {
    const [polling, socket] = await probed();
    socket.send('5', '4done');
    assert.equal(await socket.nextEvent(), '4done');
    assert.equal((await polling.poll()).status, 400);
    const other = new Socket(`${base}?EIO=4&transport=websocket&sid=${polling.sid}`);
    await other.closed();
    socket.send('4still here');
    assert.equal(await socket.nextEvent(), '4still here');
    socket.close();
  });

  test('who breaks it off goes on by polling', async () => {
    for (const end of ['close', 'terminate']) {
      const [polling, socket] = await probed();
      socket[end]();
      await socket.closed();
      await polling.post('4still here');
      let text;
      do text = await polling.polled();
      while (text === '6' || text === '2');
      assert.equal(text, '4still here');
    }
  });

  test('a WebSocket for nobody is refused', async () => {
    const socket = new Socket(`${base}?EIO=4&transport=websocket&sid=nobody`);
    assert.equal(await socket.closed(), 1006);
  });
});
