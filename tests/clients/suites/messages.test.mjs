// What is sent arrives as it was, both ways, by each client and each way to connect.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CLIENTS, Sockets, transport, WAYS } from '../harness/clients.mjs';
import { ask, next, nextOnes } from '../harness/deadline.mjs';
import { TestServer } from '../harness/server.mjs';

const BURST = 1000;
// What the server allows in one packet.
const ATTACHMENTS_MAX = 10;

const TEXTS = [
  '',
  'Grüße, мир, 日本語',
  '𝄞 👩‍👩‍👧 🎶',
  'quotes " and \\ and / and <script>',
  'control \u0000 \u001e \u007f \u2028 \ufeff',
  'half of a pair: \ud83d',
  '🎶'.repeat(20_000),
];

let server;
before(async () => (server = await TestServer.start()));
after(() => server?.kill());

for (const client of CLIENTS) {
  for (const way of WAYS) {
    describe(`${client.name} by ${way.name}`, () => {
      const sockets = new Sockets();
      let socket;

      before(async () => {
        socket = await sockets.connect(client, server.url, { transports: way.transports });
      });
      after(() => sockets.close());

      test('the connection is by what was asked for', async () => {
        assert.equal(transport(socket), way.ends);
        const [me] = await ask(socket, 'who am i');
        assert.equal(me.transport, way.ends);
        assert.equal(me.id, socket.id);
      });

      test('values are echoed', async () => {
        await echoes(socket, []);
        await echoes(socket, [1, -0.5, 1e300, true, false, null, 'text']);
        await echoes(socket, [{ list: [1, [2, { three: 3 }]], nothing: null, empty: {} }, []]);
      });

      test('Unicode is kept', async () => {
        for (const text of TEXTS) await echoes(socket, [text, { [text]: text }]);
      });

      test('the server acknowledges', async () => {
        assert.deepEqual(await ask(socket, 'answer'), []);
        assert.deepEqual(await ask(socket, 'answer', 1, 'two', { three: '🎶' }), [1, 'two', { three: '🎶' }]);
        const numbers = Array.from({ length: 50 }, (_, i) => i);
        const answers = await Promise.all(numbers.map((i) => ask(socket, 'answer', i)));
        assert.deepEqual(answers.flat(), numbers);
      });

      test('the client acknowledges', async () => {
        const answered = next(socket, 'answered');
        socket.once('question', (one, two, ack) => ack(two, one, { and: '🎶' }));
        socket.emit('ask me', 5000, 'one', 2);
        assert.deepEqual(await answered, [null, 2, 'one', { and: '🎶' }]);
      });

      test('a client that does not acknowledge is waited for until the time is up', async () => {
        const answered = next(socket, 'answered');
        socket.once('question', () => {});
        socket.emit('ask me', 50, 'anyone?');
        assert.deepEqual(await answered, ['timed out']);
      });

      test('binary is echoed', async () => {
        const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
        await echoes(socket, [bytes]);
        await echoes(socket, [Buffer.alloc(0), 'between', Buffer.from('🎶')]);
        await echoes(socket, [{ deep: [{ down: bytes }, 'text'], name: 'file' }, [bytes, bytes]]);
        await echoes(socket, [Buffer.alloc(200_000, 7)]);
        await echoes(socket, Array.from({ length: ATTACHMENTS_MAX }, (_, i) => Buffer.from([i])));
        // What is sent as another kind of array comes back as bytes all the same.
        const echoed = next(socket, 'echo');
        socket.emit('echo', new Uint8Array([1, 2, 3]).buffer);
        assert.deepEqual(await echoed, [Buffer.from([1, 2, 3])]);
      });

      test('binary is bytes for the server, and is acknowledged with', async () => {
        assert.deepEqual(await ask(socket, 'measure', Buffer.alloc(12_345)), [12_345]);
        const bytes = Buffer.from([0, 1, 254, 255]);
        assert.deepEqual(await ask(socket, 'answer', { bytes }, bytes), [{ bytes }, bytes]);
        const answered = next(socket, 'answered');
        socket.once('question', (asked, ack) => ack(Buffer.concat([asked, asked]), { asked }));
        socket.emit('ask me', 5000, bytes);
        assert.deepEqual(await answered, [null, Buffer.concat([bytes, bytes]), { asked: bytes }]);
      });

      test(`${BURST} messages in a row keep their order, both ways`, async () => {
        const numbers = Array.from({ length: BURST }, (_, i) => i);
        const echoed = nextOnes(socket, 'echo', BURST);
        const counted = nextOnes(socket, 'number', BURST);
        socket.emit('count', BURST);
        for (const number of numbers) socket.emit('echo', number);
        assert.deepEqual(await counted, numbers);
        assert.deepEqual(await echoed, numbers);
      });

      test('binary and text keep their order', async () => {
        const values = Array.from({ length: 100 }, (_, i) => (i % 3 === 0 ? Buffer.from([i]) : i));
        const echoed = nextOnes(socket, 'echo', values.length);
        for (const value of values) socket.emit('echo', value);
        assert.deepEqual(await echoed, values);
      });

      test('what is volatile may be missing, but is in order and comes once', async () => {
        const got = [];
        const listener = (number) => got.push(number);
        socket.on('number', listener);
        const counted = next(socket, 'counted');
        socket.emit('count volatile', 100);
        await counted;
        socket.off('number', listener);
        assert.deepEqual(got, [...new Set(got)].sort((a, b) => a - b));
        if (way.ends === 'websocket') assert.equal(got[0], 0, 'the first finds the way free');
      });

      test('an event that a packet middleware refuses is not handled', async () => {
        const refused = next(socket, 'refused');
        socket.emit('forbidden');
        assert.deepEqual(await refused, ['this event is forbidden']);
      });
    });
  }
}

async function echoes(socket, values) {
  const echoed = next(socket, 'echo');
  socket.emit('echo', ...values);
  assert.deepEqual(await echoed, values);
}
