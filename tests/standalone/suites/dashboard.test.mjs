// The public dashboard connects: it sees sockets, rooms, clients and events, and does what its user asks for.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { next, record } from '../../clients/harness/deadline.mjs';
import { Dashboard, SECRET, admin, pages, until, watcher } from '../harness/dashboard.mjs';
import { Events, poll } from '../harness/others.mjs';
import { Server } from '../harness/server.mjs';
import { connect, ok, open, refused } from '../harness/sockets.mjs';
import { ALL, org } from '../harness/tokens.mjs';

const DEVELOPMENT = 'mode = "development"';
const TWO_ORGS = ['acme', 'globex'].map((name) => org(name, { [`${name}-all-0123456789`]: { allow: ALL } })).join('');
const as = (name) => ({ auth: { token: `${name}-all-0123456789`, identity: name } });

describe('in Chromium', () => {
  /** A server that the page of the dashboard may speak to. */
  async function start(t, more) {
    const url = await pages(t);
    const cors = `[http]\ncors_origins = ["${url}"]\n[socketio.cors]\ncredentials = true\n`;
    return { url, server: await Server.start(t, `workers = 2\n${cors}${admin(more)}`) };
  }

  test('sockets, rooms, clients, events and numbers are seen, and can be acted on', async (t) => {
    const { url, server } = await start(t, DEVELOPMENT);
    const alice = await connect(t, server.url, { auth: { identity: 'alice' } });
    await ok(alice, 'subscribe', ['lobby', 'news']);
    const bob = await connect(t, server.url, { transports: ['polling'], extraHeaders: { Cookie: 'session=secret' }, query: { token: '' } });
    await ok(bob, 'subscribe', 'lobby');

    const dashboard = await Dashboard.open(t, url);
    const { page } = dashboard;
    await dashboard.logIn(server, 'wrong');
    await page.getByText('Invalid credentials').waitFor();
    await dashboard.says('disconnected');
    await dashboard.logIn(server);
    await dashboard.says('connected');
    await page.getByText('Bytes received and sent').waitFor();
    await dashboard.rows('/admin', 1);
    await dashboard.screenshot('overview');

    await dashboard.show('sockets/');
    await dashboard.rows(alice.id, 1);
    await dashboard.rows('HTTP long-polling', 1);
    const cid = await connect(t, server.url, { transports: ['polling', 'websocket'] });
    await dashboard.rows(cid.id, 1);
    // It goes over to WebSocket before its eyes.
    await dashboard.row(cid.id).filter({ hasText: 'WebSocket' }).waitFor();
    await dashboard.screenshot('sockets');
    const gone = next(cid, 'disconnect');
    await dashboard.row(cid.id).getByRole('button').click();
    assert.deepEqual((await gone).slice(0, 1), ['io server disconnect']);
    await dashboard.rows(cid.id, 0);

    await dashboard.show('rooms/');
    await dashboard.row('lobby').filter({ hasText: '2' }).waitFor();
    await dashboard.row('news').filter({ hasText: '1' }).waitFor();
    await dashboard.screenshot('rooms');

    await dashboard.show(`n/%2F/sockets/${bob.id}`);
    await page.getByText('Socket details').waitFor();
    await page.getByText('[redacted]').first().waitFor();
    assert.equal(await page.getByText('session=secret').count(), 0);
    await page.getByLabel('Join a room').fill('vip');
    await page.locator('form').getByRole('button').click();
    await dashboard.rows('vip', 1);
    await dashboard.screenshot('socket');
    const heard = next(bob, 'message');
    await ok(alice, 'publish', 'vip', 'for those who were let in');
    assert.deepEqual(await heard, ['for those who were let in']);
    await dashboard.row('vip').getByRole('button').first().click();
    // The click opens the room as well.
    await dashboard.show(`n/%2F/sockets/${bob.id}`);
    await dashboard.row('lobby').waitFor();
    await dashboard.rows('vip', 0);
    const nothing = record(bob, 'message');
    await ok(alice, 'publish', 'vip', 'not for bob');
    await ok(bob, 'presence', 'vip');
    assert.deepEqual(nothing, []);

    await dashboard.show('events/');
    await dashboard.rows('Event name: publish', 2);
    await dashboard.rows('Room: vip', 2);
    await dashboard.row('client namespace disconnect').or(dashboard.row('server namespace disconnect')).first().waitFor();
    await dashboard.screenshot('events');

    await dashboard.show('rooms/');
    // Everybody has to leave.
    await dashboard.row('lobby').getByRole('button').first().click();
    await dashboard.show('rooms/');
    await dashboard.rows('lobby', 0);
    await dashboard.rows('news', 1);
    await ok(alice, 'publish', 'lobby', 'nobody is there');
    await ok(bob, 'presence', 'lobby');
    assert.deepEqual(nothing, []);

    await dashboard.show('clients/');
    await dashboard.rows('127.0.0.1', 3);
    await dashboard.screenshot('clients');
    const closed = next(bob, 'disconnect');
    await dashboard.row('HTTP long-polling').getByRole('button').click();
    await closed;
    await dashboard.rows('127.0.0.1', 2);

    await dashboard.show('servers/');
    await dashboard.row('healthy').waitFor();
    await dashboard.screenshot('servers');

    // A server that comes back finds it logged in no more: it asks again by itself and gets a session again.
    await page.reload();
    await dashboard.says('connected');
  });

  test('who may only look has nothing to act with', async (t) => {
    const { url, server } = await start(t, `${DEVELOPMENT}\nreadonly = true`);
    const socket = await connect(t, server.url);
    await ok(socket, 'subscribe', 'lobby');
    const dashboard = await Dashboard.open(t, url);
    await dashboard.logIn(server);
    await dashboard.says('connected');
    await dashboard.show('sockets/');
    await dashboard.rows(socket.id, 1);
    for (const button of await dashboard.row(socket.id).getByRole('button').all()) assert.equal(await button.isDisabled(), true);
  });

  test('in production there are numbers alone', async (t) => {
    const { url, server } = await start(t);
    await connect(t, server.url);
    const dashboard = await Dashboard.open(t, url);
    await dashboard.logIn(server);
    await dashboard.says('connected');
    await dashboard.rows('/admin', 1);
    await dashboard.screenshot('production');
    assert.equal(await dashboard.page.getByText('Sockets', { exact: true }).count(), 0);
  });
});

describe('by its protocol', () => {
  test('a session stands for the password', async (t) => {
    const server = await Server.start(t, `${TWO_ORGS}${admin()}`);
    for (const auth of [{}, { username: 'admin' }, { username: 'admin', password: 'wrong' }, { username: 'root', password: 'secret' }, { sessionId: 'guess' }, { sessionId: 17 }, { token: 'acme-all-0123456789' }]) {
      const error = await refused(t, `${server.url}/admin`, { auth });
      assert.equal(error.message, 'invalid credentials', JSON.stringify(auth));
    }
    const { told } = await watcher(t, server);
    await until(() => told('session').length === 1);
    const [[sessionId]] = told('session');
    const again = await watcher(t, server, { auth: { sessionId } });
    await until(() => again.told('config').length === 1);
    assert.deepEqual(again.told('session'), []);
    // A session is of the server that gave it.
    await server.kill();
    await server.restart();
    assert.equal((await refused(t, `${server.url}/admin`, { auth: { sessionId } })).message, 'invalid credentials');
  });

  test('passwords are looked at one after the other', async (t) => {
    const server = await Server.start(t, admin());
    const guesses = Array.from({ length: 40 }, (_, n) => refused(t, `${server.url}/admin`, { auth: { username: 'admin', password: `guess ${n}` } }));
    assert.ok((await Promise.all(guesses)).every(({ message }) => message === 'invalid credentials'));
    await watcher(t, server);
  });

  test('what it can do is what is allowed', async (t) => {
    const actions = ['EMIT', 'JOIN', 'LEAVE', 'DISCONNECT', 'MJOIN', 'MLEAVE', 'MDISCONNECT'];
    for (const [more, features] of [
      ['', [...actions, 'AGGREGATED_EVENTS']],
      [DEVELOPMENT, [...actions, 'AGGREGATED_EVENTS', 'ALL_EVENTS']],
      [`${DEVELOPMENT}\nreadonly = true`, ['AGGREGATED_EVENTS', 'ALL_EVENTS']],
      ['readonly = true\nnamespace = "/dashboard"\nserver_id = "number one"', ['AGGREGATED_EVENTS']],
    ]) {
      const server = await Server.start(t, admin(more));
      const namespace = more.includes('/dashboard') ? '/dashboard' : '/admin';
      const client = await connect(t, server.url);
      await ok(client, 'subscribe', 'room');
      const { socket, told, events } = await watcher(t, server, { namespace });
      await until(() => told('config').length === 1 && told('server_stats').length >= 1);
      assert.deepEqual(told('config'), [[{ supportedFeatures: features }]]);
      const [[stats]] = told('server_stats');
      if (more.includes('server_id')) assert.equal(stats.serverId, 'number one');
      assert.deepEqual(
        [typeof stats.hostname, typeof stats.pid, typeof stats.uptime, stats.clientsCount, stats.pollingClientsCount],
        ['string', 'number', 'number', 2, 0],
      );
      assert.deepEqual(stats.namespaces.toSorted((a, b) => (a.name < b.name ? -1 : 1)), [{ name: '/', socketsCount: 1 }, { name: namespace, socketsCount: 1 }]);
      if (more.includes('readonly')) {
        const heard = record(client, 'hello');
        socket.emit('emit', '/', null, 'hello');
        socket.emit('leave', '/', 'room', client.id);
        socket.emit('_disconnect', '/', true, client.id);
        await until(() => told('server_stats').length >= 2);
        assert.deepEqual([heard, client.connected], [[], true]);
        assert.equal((await ok(client, 'unsubscribe', 'room')).status, 'ok');
      }
      if (!more.includes('development')) assert.deepEqual(events().sort(), ['config', 'server_stats', 'session']);
    }
  });

  test('it is told what happens as it happens', async (t) => {
    const server = await Server.start(t, `workers = 2\n${TWO_ORGS}${admin(DEVELOPMENT)}`);
    const earlier = await connect(t, server.url, as('acme'));
    await ok(earlier, 'subscribe', ['lobby', { channel: 'flagged', system: true }]);
    const { socket, told } = await watcher(t, server);
    await until(() => told('all_sockets').length === 1);
    const [[all]] = told('all_sockets');
    const one = all.find(({ nsp }) => nsp === '/');
    assert.deepEqual(all.map(({ nsp }) => nsp).sort(), ['/', '/admin']);
    assert.equal(one.id, earlier.id);
    assert.equal(one.transport, 'websocket');
    assert.ok(one.clientId.length === 12 && earlier.io.engine.id.startsWith(one.clientId));
    assert.deepEqual(one.rooms[0], earlier.id);
    assert.deepEqual(one.rooms.slice(1).sort(), ['\u001fflagged (system)', 'lobby']);
    const { handshake } = one;
    assert.deepEqual([handshake.address, handshake.query.EIO, handshake.secure, handshake.xdomain], ['127.0.0.1', '4', false, false]);
    assert.ok(Math.abs(handshake.issued - Date.now()) < 60_000);
    assert.ok(Math.abs(Date.parse(handshake.time) - Date.now()) < 60_000);

    const later = await connect(t, server.url, { ...as('globex'), transports: ['polling', 'websocket'], query: { access_token: 'nobody is to see it' }, extraHeaders: { Authorization: 'Bearer globex-all-0123456789' } });
    await until(() => told('socket_updated').length === 1);
    await ok(later, 'subscribe', 'lobby');
    await ok(later, 'publish', 'lobby', { text: 'hi' });
    await ok(later, 'publish', 'lobby', Buffer.from('bytes'));
    await ok(later, 'unsubscribe', 'lobby');
    const { id } = later;
    later.disconnect();
    await until(() => told('socket_disconnected').length === 1);
    const [[seen, time]] = told('socket_connected').filter(([{ nsp }]) => nsp === '/');
    assert.equal(seen.id, id);
    assert.ok(!JSON.stringify(told('socket_connected')).match(/nobody is to see it|globex-all/));
    assert.match(seen.handshake.url, /access_token=\[redacted\]/);
    assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000);
    assert.deepEqual(told('socket_updated'), [[{ id, nsp: '/', transport: 'websocket' }]]);
    assert.deepEqual(told('room_joined').map((event) => event.slice(0, 3)), [['/', 'lobby', id]]);
    assert.deepEqual(told('room_left').map((event) => event.slice(0, 3)), [['/', 'lobby', id]]);
    assert.deepEqual(
      told('event_received').map(([nsp, from, event]) => [nsp, from, event]),
      [
        ['/', id, ['subscribe', 'lobby']],
        ['/', id, ['publish', 'lobby', { text: 'hi' }]],
        ['/', id, ['publish', 'lobby', { _placeholder: true, num: 0 }]],
        ['/', id, ['unsubscribe', 'lobby']],
      ],
    );
    assert.deepEqual(told('socket_disconnected')[0].slice(0, 3), ['/', id, 'client namespace disconnect']);
    await until(() => {
      const counts = told('server_stats').flatMap(([{ aggregatedEvents }]) => aggregatedEvents);
      const sum = (type) => counts.filter((one) => one.type === type).reduce((sum, { count }) => sum + count, 0);
      // What was before it came was not for it.
      return sum('rawConnection') >= 1 && sum('rawDisconnection') === 1 && sum('packetsIn') > 5 && sum('bytesIn') > 100 && sum('bytesOut') > 100;
    });
    assert.equal(socket.connected, true);
  });

  test('it acts on sockets of all orgs, and on them alone', async (t) => {
    const server = await Server.start(t, `workers = 2\n${TWO_ORGS}[socketio.recovery]\nenabled = true\n${admin(DEVELOPMENT)}`);
    const acme = await connect(t, server.url, as('acme'));
    const globex = await connect(t, server.url, { ...as('globex'), transports: ['polling'] });
    for (const socket of [acme, globex]) await ok(socket, 'subscribe', 'lobby');
    const bystander = await connect(t, server.url, as('acme'));
    const page = await Events.listen(t, server, 'lobby', { token: 'acme-all-0123456789' });
    const { socket } = await watcher(t, server);
    const heard = [acme, globex, bystander].map((one) => record(one, 'hello'));
    const settle = async () => {
      for (const one of [acme, globex, bystander]) if (one.connected) await ok(one, 'presence', 'lobby');
    };
    const all = [acme, globex, bystander].map((one) => next(one, 'hello'));
    socket.emit('emit', '/', null, 'hello', 1, { two: 2 }, 'three');
    for (const event of await Promise.all(all)) assert.deepEqual(event, [1, { two: 2 }, 'three', null]);
    const members = [acme, globex].map((one) => next(one, 'hello'));
    socket.emit('emit', '/', 'lobby', 'hello', 'members');
    await Promise.all(members);
    const alone = next(globex, 'hello');
    socket.emit('emit', '/', globex.id, 'hello', 'you alone');
    await alone;
    await settle();
    assert.deepEqual(heard.map((events) => events.length), [2, 3, 1]);
    // Nothing of it was published.
    assert.deepEqual((await poll(server, 'lobby', { token: 'acme-all-0123456789' })).messages, []);

    const joined = next(bystander, 'presence');
    socket.emit('join', '/', 'lobby', bystander.id);
    await until(() => true);
    const both = [acme, bystander].map((one) => next(one, 'message'));
    await settle();
    await ok(acme, 'publish', 'lobby', 'of acme');
    for (const event of await Promise.all(both)) assert.deepEqual(event[0], 'of acme');
    joined.catch(() => {});
    assert.deepEqual((await page.next()).data, 'of acme');

    const gone = [acme, globex].map((one) => next(one, 'disconnect'));
    socket.emit('leave', '/', 'lobby', bystander.id);
    socket.emit('_disconnect', '/', false, 'lobby');
    for (const [reason] of await Promise.all(gone)) assert.equal(reason, 'io server disconnect');
    assert.equal(bystander.connected, true);
    const closed = next(bystander, 'disconnect');
    socket.emit('_disconnect', '/', true);
    await closed;
    // What cannot be done does no harm.
    for (const wrong of [['emit'], ['emit', '/nowhere', null, 'x'], ['emit', '/', null, 'connect'], ['join', '/', '', null], ['join', 7], ['_disconnect'], ['leave', '/', null]]) socket.emit(...wrong);
    const again = await connect(t, server.url, as('globex'));
    await ok(again, 'presence', 'lobby');
    assert.equal(socket.connected, true);
  });

  test('what it is told is published nowhere', async (t) => {
    const server = await Server.start(t, `${TWO_ORGS}${admin(DEVELOPMENT)}`);
    const { told } = await watcher(t, server);
    for (const name of ['acme', 'globex']) {
      const spy = await connect(t, server.url, as(name));
      const heard = [];
      spy.onAny((...event) => heard.push(event));
      spy.io.on('packet', (packet) => packet.nsp !== '/' && heard.push(packet));
      for (const channel of ['/admin', '/admin#x', '/#', '/']) await ok(spy, 'subscribe', { channel, since: '0' }).catch(() => {});
      const pages = await Promise.all(['/admin#', '/admin#x', '/#'].map((channel) => poll(server, channel, { since: '0', token: `${name}-all-0123456789` })));
      await connect(t, server.url, as('acme'));
      await ok(spy, 'publish', { channel: '/admin#', name: 'server_stats', payload: { serverId: 'forged' } });
      await ok(spy, 'presence', 'x');
      assert.deepEqual(heard, []);
      assert.deepEqual(pages.map(({ messages }) => messages), [[], [], []]);
    }
    const before = told('server_stats').length;
    await until(() => told('server_stats').length > before);
    assert.ok(told('server_stats').every(([{ serverId }]) => serverId !== 'forged'));
  });

  test('one connection may have it beside the clients\' namespace', async (t) => {
    const server = await Server.start(t, `${TWO_ORGS}${admin(DEVELOPMENT)}`);
    for (const name of ['acme', 'globex']) {
      for (const first of ['/', '/admin']) {
        const one = open(t, server.url + (first === '/' ? '' : first), { auth: first === '/' ? as(name).auth : SECRET });
        await next(one, 'connect');
        const other = one.io.socket(first === '/' ? '/admin' : '/', { auth: first === '/' ? SECRET : as(name).auth });
        await next(other, 'connect');
        const client = first === '/' ? one : other;
        await ok(client, 'subscribe', 'lobby');
        const heard = next(client, 'message');
        const speaker = await connect(t, server.url, as(name));
        await ok(speaker, 'publish', 'lobby', name);
        assert.deepEqual(await heard, [name]);
        // The dashboard's word is not the client's.
        client.io._packet({ type: 3, nsp: '/admin', id: 2 ** 41, data: [1] });
        await ok(client, 'presence', 'lobby');
      }
    }
  });

  test('more sockets than fit into one message are told all the same', async (t) => {
    const server = await Server.start(t, `[limits]\noutbox_bytes_max = 30000\n${admin(DEVELOPMENT)}`);
    const sockets = await Promise.all(Array.from({ length: 60 }, () => connect(t, server.url)));
    const { told } = await watcher(t, server);
    const known = () => new Set([...(told('all_sockets')[0]?.[0] ?? []), ...told('socket_connected').map(([socket]) => socket)].map(({ id }) => id));
    await until(() => sockets.every(({ id }) => known().has(id)));
    assert.ok(told('all_sockets')[0][0].length < 60);
  });
});

test('settings that would let nobody in, or everybody be the dashboard, are refused', async (t) => {
  for (const [config, expected] of [
    ['[socketio.admin]\nenabled = true\n', /auth needs username and password_hash/],
    [admin('namespace = "/"'), /namespace cannot be \//],
    ['[socketio.admin]\nenabled = true\nauth = { username = "a", password_hash = "secret" }\n', /not a bcrypt hash/],
    ['[socketio.admin]\nmode = "dev"\n', /:2: unknown variant `dev`, expected `development` or `production`/],
    ['[socketio.admin]\nread_only = true\n', /:2: there is no setting socketio\.admin\.read_only; did you mean readonly\?/],
  ]) {
    assert.match(await Server.refusal(t, config), expected);
  }
});
