// Subscriptions: over reconnects nothing is lost or doubled, and gaps are told.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { channel, problem, Virtual } from './virtual.mjs';

test('a channel is subscribed to once, and unsubscribed from', () => {
  const virtual = Virtual.online();
  virtual.session.subscribe(channel('room', { system: true }));
  virtual.session.subscribe(channel('room', { system: true }));
  const [subscribe, ...rest] = virtual.takeSent();
  assert.deepEqual(subscribe, { type: 'subscribe', id: subscribe.id, channels: [{ channel: 'room', system: true }] });
  assert.deepEqual(rest, []);
  virtual.says({ type: 'ok', id: subscribe.id, channels: [{ channel: 'room', system: true, position: '100', gap: false }] });
  assert.deepEqual(virtual.takeActions(), [{ type: 'subscribed', channel: channel('room', { system: true }) }]);
  virtual.session.subscribe(channel('room', { system: true }));
  assert.deepEqual(virtual.takeTypes(), ['subscribed']);
  virtual.session.unsubscribe(channel('room', { system: true }));
  assert.deepEqual(virtual.takeSent(), [{ type: 'unsubscribe', channels: [{ channel: 'room', system: true }] }]);
});

test('what is asked for offline is asked for when online', () => {
  const virtual = new Virtual();
  virtual.session.start(virtual.now);
  for (const name of ['a', 'b', 'c']) virtual.session.subscribe(channel(name));
  virtual.session.unsubscribe(channel('b'));
  virtual.open();
  assert.deepEqual(virtual.takeSent(), [{ type: 'subscribe', id: 1, channels: [{ channel: 'a' }, { channel: 'c' }] }]);
});

test('flags make another channel', () => {
  const virtual = Virtual.online();
  virtual.listen('room');
  virtual.message('room', '101', { consumer: true });
  assert.deepEqual(virtual.takeActions(), []);
  virtual.message('room', '102');
  assert.equal(virtual.takeOnly('message').message.position, '102');
});

test('every channel comes back with its own cursor', () => {
  const virtual = Virtual.online();
  virtual.listen('quiet', '100');
  virtual.listen('busy', '150');
  virtual.message('busy', '160');
  virtual.message('busy', '1000');
  virtual.takeActions();
  virtual.reconnect();
  const [subscribe] = virtual.takeSent();
  assert.deepEqual(subscribe.channels, [{ channel: 'quiet', since: '100' }, { channel: 'busy', since: '1000' }]);
  virtual.says({
    type: 'ok',
    id: subscribe.id,
    channels: [{ channel: 'quiet', position: '2000', gap: false }, { channel: 'busy', position: '2000', gap: false }],
  });
  // They were listened to all the time.
  assert.deepEqual(virtual.takeActions(), []);
  virtual.message('quiet', '1500');
  assert.equal(virtual.takeOnly('message').message.position, '1500');
  // It broke before the rest of what was missed came: that is asked for again.
  virtual.reconnect();
  assert.deepEqual(virtual.takeSent()[0].channels, [{ channel: 'quiet', since: '1500' }, { channel: 'busy', since: '1000' }]);
});

test('nothing is delivered twice', () => {
  const virtual = Virtual.online();
  virtual.listen('room');
  for (const position of ['101', '101', '99', '102']) virtual.message('room', position);
  assert.deepEqual(virtual.takeActions().map(({ message }) => message.position), ['101', '102']);
});

test('a gap is told, and is no reason to be told of it again', () => {
  const virtual = Virtual.online();
  virtual.listen('room', '100');
  virtual.reconnect();
  const { id } = virtual.takeSent()[0];
  virtual.says({ type: 'ok', id, channels: [{ channel: 'room', position: '900', gap: true }] });
  virtual.says({ type: 'gap', since: '100', resumed: '500', channel: 'room' });
  assert.deepEqual(virtual.takeOnly('gap').gap, { channel: 'room', system: false, consumer: false, since: '100', resumed: '500' });
  virtual.reconnect();
  assert.equal(virtual.takeSent()[0].channels[0].since, '499');
});

test('a server that lost its positions is followed', () => {
  const virtual = Virtual.online();
  virtual.listen('room', '5000');
  virtual.reconnect();
  const { id } = virtual.takeSent()[0];
  virtual.says({ type: 'ok', id, channels: [{ channel: 'room', position: '10', gap: true }] });
  virtual.says({ type: 'gap', since: '5000', resumed: '11', channel: 'room' });
  virtual.message('room', '11');
  assert.deepEqual(virtual.takeTypes(), ['gap', 'message']);
});

test('a refused channel is told of', () => {
  const virtual = Virtual.online();
  virtual.session.subscribe(channel('staff'));
  const { id } = virtual.takeSent()[0];
  virtual.says({ type: 'error', id, error: problem('not-permitted', 403, { channel: 'staff', permission: 'subscribe' }) });
  const { channel: refused, error } = virtual.takeOnly('refused');
  assert.equal(refused.name, 'staff');
  assert.deepEqual([error.name, error.type, error.status, error.permission, error.channel.name], ['NotPermittedError', 'not-permitted', 403, 'subscribe', 'staff']);
  virtual.reconnect();
  assert.deepEqual(virtual.takeSent(), []);
});

test('one refused channel does not take the others with it', () => {
  const virtual = Virtual.online();
  for (const name of ['a', 'staff', 'b']) virtual.listen(name);
  virtual.reconnect();
  const [together] = virtual.takeSent();
  assert.equal(together.channels.length, 3);
  virtual.says({ type: 'error', id: together.id, error: problem('not-permitted', 403, { channel: 'staff' }) });
  const apart = virtual.takeSent();
  assert.deepEqual(apart.map(({ channels }) => channels), [
    [{ channel: 'a', since: '100' }],
    [{ channel: 'staff', since: '100' }],
    [{ channel: 'b', since: '100' }],
  ]);
  for (const { id, channels } of apart) {
    if (channels[0].channel === 'staff') virtual.says({ type: 'error', id, error: problem('not-permitted', 403) });
    else virtual.says({ type: 'ok', id, channels: [{ channel: channels[0].channel, position: '200', gap: false }] });
  }
  assert.equal(virtual.takeOnly('refused').channel.name, 'staff');
});

test('a passing trouble with recovery is a reason to come back, not to give up', () => {
  const virtual = Virtual.online();
  virtual.listen('room');
  virtual.reconnect();
  const { id } = virtual.takeSent()[0];
  virtual.says({ type: 'error', id, error: problem('unavailable', 503) });
  assert.deepEqual(virtual.takeTypes(), ['disconnect', 'offline', 'reconnecting']);
  virtual.comeBack();
  virtual.open();
  assert.equal(virtual.takeSent()[0].channels[0].since, '100');
});

test('who cancels and listens again gets the answer of the second time', () => {
  const virtual = Virtual.online();
  virtual.session.subscribe(channel('room'));
  virtual.session.unsubscribe(channel('room'));
  virtual.session.subscribe(channel('room'));
  const [first, unsubscribe, second] = virtual.takeSent();
  assert.deepEqual([first.type, unsubscribe.type, second.type], ['subscribe', 'unsubscribe', 'subscribe']);
  virtual.says({ type: 'ok', id: first.id, channels: [{ channel: 'room', position: '100', gap: false }] });
  virtual.message('room', '101');
  assert.deepEqual(virtual.takeActions(), []);
  virtual.says({ type: 'ok', id: second.id, channels: [{ channel: 'room', position: '102', gap: false }] });
  virtual.message('room', '103');
  assert.deepEqual(virtual.takeTypes(), ['subscribed', 'message']);
});

test('more channels than one subscribe may name take several', () => {
  const virtual = new Virtual();
  virtual.session.start(virtual.now);
  for (let at = 0; at < 2500; at += 1) virtual.session.subscribe(channel(`room ${at}`));
  virtual.open();
  const sizes = virtual.takeSent().map(({ channels }) => channels.length);
  assert.deepEqual(sizes, [1000, 1000, 500]);
});
