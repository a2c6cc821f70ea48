// Engine.IO revision 3, by hand, against the conformance server, which sends back each message.

import assert from 'node:assert/strict';
import vm from 'node:vm';
import { after, before, describe, test } from 'node:test';
import { ConformanceServer, PING_INTERVAL_MS, PING_TIMEOUT_MS, REFERENCE } from '../harness/server.mjs';
import {
  decodeBinaryPayload3,
  decodePayload3,
  encodeBinaryPayload3,
  encodePayload3,
  Polling,
  Socket,
} from '../harness/wire.mjs';

let server;
let base;
before(async () => {
  server = await ConformanceServer.start();
  base = `${server.url}/engine.io/`;
});
after(() => server?.kill());

const open = (query) => Polling.open(base, 3, query);

async function direct() {
  const socket = new Socket(`${base}?EIO=3&transport=websocket`);
  return [socket, JSON.parse((await socket.next()).slice(1))];
}

async function probed() {
  const polling = await open();
  const socket = await Socket.open(`${base}?EIO=3&transport=websocket&sid=${polling.sid}`);
  socket.send('2probe');
  assert.equal(await socket.next(), '3probe');
  return [polling, socket];
}

describe('handshake', () => {
  test('by polling and by WebSocket', async () => {
    const { handshake } = await open();
    assert.equal(typeof handshake.sid, 'string');
    assert.deepEqual(handshake.upgrades, ['websocket']);
    assert.equal(handshake.pingInterval, PING_INTERVAL_MS);
    assert.equal(handshake.pingTimeout, PING_TIMEOUT_MS);
    const [socket, said] = await direct();
    assert.deepEqual(said.upgrades, []);
    socket.close();
  });

  test('is refused where the revision is off', async (t) => {
    const strict = await ConformanceServer.start({ eio3: false });
    t.after(() => strict.kill());
    const response = await fetch(`${strict.url}/engine.io/?EIO=3&transport=polling`);
    assert.equal(response.status, 400);
    assert.deepEqual(await response.json(), { code: 5, message: 'Unsupported protocol version' });
    assert.equal(await new Socket(`${strict.url}/engine.io/?EIO=3&transport=websocket`).closed(), 1006);
    for (const revision of ['', '&EIO=abc', '&EIO=5']) {
      assert.equal((await fetch(`${strict.url}/engine.io/?transport=polling${revision}`)).status, 400);
    }
    await Polling.open(`${strict.url}/engine.io/`, 4);
  });
});

describe('messages by polling', () => {
  test('lengths are in UTF-16 units', async () => {
    const polling = await open();
    const packets = ['4', '4hello', '4Grüße', '4€', '4🎶'];
    assert.equal(encodePayload3('4🎶'), '3:4🎶');
    assert.deepEqual(await polling.post(encodePayload3(...packets)), { status: 200, text: 'ok' });
    assert.deepEqual(decodePayload3(await polling.polled()), packets);
  });

  test('binary as base64', async () => {
    const polling = await open();
    await polling.post(encodePayload3('4text', 'b4AAEC/f7/', '4more'));
    assert.deepEqual(decodePayload3(await polling.polled()), ['4text', 'b4AAEC/f7/', '4more']);
  });

  test('in binary framing, for a client that takes it', async () => {
    const polling = await open('');
    const bytes = Buffer.from([0, 1, 254, 255]);
    const payload = encodeBinaryPayload3('4Grüße 🎶', Buffer.concat([Buffer.from([4]), bytes]), '4more');
    assert.equal((await polling.post(payload, { 'content-type': 'application/octet-stream' })).text, 'ok');
    const { type, bytes: polled } = await polling.polledBytes();
    assert.equal(type, 'application/octet-stream');
    assert.deepEqual(decodeBinaryPayload3(polled), ['4Grüße 🎶', Buffer.concat([Buffer.from([4]), bytes]), '4more']);
  });

  test('several posts, one poll', async () => {
    const polling = await open();
    for (const text of ['one', 'two', 'three']) await polling.post(encodePayload3(`4${text}`));
    assert.deepEqual(decodePayload3(await polling.polled()), ['4one', '4two', '4three']);
  });

  for (const body of ['abc', '1:', '99:4short', '5:xhello', ':4', '-1:4']) {
    test(`${body} ends the session`, async () => {
      const polling = await open();
      await polling.post(body).catch(() => {});
      for (let i = 0; i < 3; i++) {
        if ((await polling.poll()).status === 400) return;
      }
      assert.fail('the session lives on');
    });
  }

  test('by JSONP', async () => {
    const jsonp = (text) => {
      const got = {};
      vm.runInNewContext(text, { ___eio: { 7: (payload) => (got.payload = payload) } });
      return got.payload;
    };
    const url = `${base}?EIO=3&transport=polling&b64=1&j=7`;
    const opened = await fetch(url);
    // The reference calls it plain text.
    if (!REFERENCE) assert.match(opened.headers.get('content-type'), /javascript/);
    const { sid } = JSON.parse(decodePayload3(jsonp(await opened.text()))[0].slice(1));
    const text = '4quotes " \' \\ </script> \u2028 line\nbreak \\n Grüße 🎶';
    // Forms make \r\n of line breaks, so that the client escapes them, and those that were escaped already.
    const escaped = encodePayload3(text).replace(/\\n/g, '\\\\n').replace(/\n/g, '\\n');
    const post = await fetch(`${url}&sid=${sid}`, { method: 'POST', body: new URLSearchParams({ d: escaped }) });
    assert.equal(post.status, 200);
    const polled = await fetch(`${url}&sid=${sid}`);
    assert.deepEqual(decodePayload3(jsonp(await polled.text())), [text]);
  });
});

describe('messages by WebSocket', () => {
  test('text, and bytes behind their type', async () => {
    const [socket] = await direct();
    const bytes = Buffer.from([4, 0, 1, 254, 255]);
    socket.send('4Grüße 🎶', bytes, '4');
    assert.equal(await socket.next(), '4Grüße 🎶');
    assert.deepEqual(await socket.next(), bytes);
    assert.equal(await socket.next(), '4');
    socket.close();
  });

  test('bytes as base64, if so asked', async () => {
    const socket = new Socket(`${base}?EIO=3&transport=websocket&b64=1`);
    await socket.next();
    socket.send('b4AQID');
    assert.equal(await socket.next(), 'b4AQID');
    socket.close();
  });

  test('an unknown packet type ends the session', async () => {
    const [socket] = await direct();
    socket.send('abc');
    await socket.closed(PING_INTERVAL_MS + PING_TIMEOUT_MS - 100);
  });
});

describe('heartbeats', () => {
  test('the client pings, the server answers', async () => {
    const [socket] = await direct();
    const polling = await open();
    for (let i = 0; i < 2; i++) {
      socket.send('2');
      assert.equal(await socket.next(), '3');
      await polling.post(encodePayload3('2'));
      assert.deepEqual(decodePayload3(await polling.polled()), ['3']);
    }
    socket.close();
  });

  test('who keeps silent is gone', async () => {
    const begun = performance.now();
    const [polling, [socket]] = await Promise.all([open(), direct()]);
    await socket.closed();
    assert.ok(performance.now() - begun > PING_INTERVAL_MS + PING_TIMEOUT_MS - 50);
    let status;
    do ({ status } = await polling.poll());
    while (status === 200);
    assert.equal(status, 400);
  });
});

describe('the end', () => {
  test('by polling', async () => {
    const polling = await open();
    const polled = polling.polled();
    await polling.post(encodePayload3('1'));
    assert.match(decodePayload3(await polled)[0], /^[16]$/);
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
    assert.deepEqual(decodePayload3(await polling.polled()), ['6']);
    socket.send('5', '4hello');
    assert.equal(await socket.next(), '4hello');
    assert.equal((await polling.poll()).status, 400);
    socket.close();
  });

  test('what nobody polled for comes by WebSocket, in its form', async () => {
    const [polling, socket] = await probed();
    await polling.polled();
    await polling.post(encodePayload3('40', 'b4AQID', '41'));
    socket.send('5');
    assert.equal(await socket.next(), '40');
    assert.deepEqual(await socket.next(), Buffer.from([4, 1, 2, 3]));
    assert.equal(await socket.next(), '41');
    socket.close();
  });
});
