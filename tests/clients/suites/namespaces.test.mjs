// Namespaces: what a client hands over when it enters one, and how it learns that it may not.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CLIENTS, Sockets, WAYS } from '../harness/clients.mjs';
import { ask, next, nextOnes } from '../harness/deadline.mjs';
import { TestServer } from '../harness/server.mjs';

let server;
before(async () => (server = await TestServer.start()));
after(() => server?.kill());

for (const client of CLIENTS) {
  for (const way of WAYS) {
    const { transports } = way;
    // Before protocol 5 a client had nothing but the query of its namespace to say who it is.
    const withAuth = (namespace, auth) =>
      client.protocol === 5
        ? [`${server.url}${namespace}`, { transports, auth }]
        : [`${server.url}${namespace}?${new URLSearchParams(auth)}`, { transports }];

    describe(`${client.name} by ${way.name}`, () => {
      test('a namespace with auth and query', async (t) => {
        const sockets = new Sockets(t);
        const socket = sockets.open(client, ...withAuth('/custom', { token: 'a b & c' }));
        assert.deepEqual(await next(socket, 'auth'), [{ token: 'a b & c' }]);
        const [me] = await ask(socket, 'who am i');
        assert.equal(shownId(client, me.id), socket.id);

        const queried = await sockets.connect(client, `${server.url}/custom`, {
          transports,
          query: { color: 'sea green', n: 1 },
        });
        const [other] = await ask(queried, 'who am i');
        assert.equal(other.query.color, 'sea green');
        assert.equal(other.query.n, '1');
        assert.equal(other.query.EIO, String(client.revision));
      });

      test('two namespaces over one connection are kept apart', async (t) => {
        const sockets = new Sockets(t);
        const main = await sockets.connect(client, server.url, { transports });
        const custom = main.io.socket('/custom');
        await next(custom, 'connect');
        const ids = [(await ask(main, 'who am i'))[0].id, (await ask(custom, 'who am i'))[0].id];
        assert.notEqual(...ids);
        const inMain = nextOnes(main, 'echo', 2);
        const inCustom = nextOnes(custom, 'echo', 2);
        main.emit('echo', 'main');
        custom.emit('echo', 'custom');
        custom.emit('echo', Buffer.from('custom'));
        main.emit('echo', Buffer.from('main'));
        assert.deepEqual(await inMain, ['main', Buffer.from('main')]);
        assert.deepEqual(await inCustom, ['custom', Buffer.from('custom')]);
        custom.disconnect();
        assert.equal(await server.reason(ids[1], '/custom'), 'client namespace disconnect');
        assert.deepEqual(await ask(main, 'answer', 'still here'), ['still here']);
      });

      test('a namespace that a pattern allows', async (t) => {
        const socket = await new Sockets(t).connect(client, `${server.url}/tables/17`, { transports });
        assert.deepEqual(await ask(socket, 'answer', 17), [17]);
      });

      test('an unknown namespace is refused', async (t) => {
        for (const namespace of ['/unknown', '/tables/x']) {
          const socket = new Sockets(t).open(client, `${server.url}${namespace}`, { transports });
          assert.equal((await refusal(client, socket)).message, 'Invalid namespace');
        }
      });

      test('a middleware refuses with data', async (t) => {
        const sockets = new Sockets(t);
        const refused = sockets.open(client, ...withAuth('/members', { token: 'wrong' }));
        assert.deepEqual(await refusal(client, refused), {
          message: 'not a member',
          data: { code: 401, hint: 'ask for a token' },
        });
        const member = sockets.open(client, ...withAuth('/members', { token: 'secret' }));
        await next(member, 'connect');
        assert.deepEqual(await ask(member, 'answer', 'in'), ['in']);
      });
    });
  }
}

/** The first generation shows the id of its connection in whatever namespace. */
function shownId(client, id) {
  return client.name.includes(' 1.') ? id.replace(/^.*#/, '') : id;
}

/** Why the server refused: a protocol 4 client is told the data, or the message if there is none. */
async function refusal(client, socket) {
  if (client.protocol === 5) {
    const [{ message, data }] = await next(socket, 'connect_error');
    return { message, ...(data && { data }) };
  }
  const [told] = await next(socket, 'error');
  if (typeof told === 'string') return { message: told };
  return told.message ? told : { message: 'not a member', data: told };
}
