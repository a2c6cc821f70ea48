// Publications, broadcasts, responses and questions, and what becomes of them when connections break.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { channel, problem, Virtual } from './virtual.mjs';

test('a publication is answered', () => {
  const virtual = Virtual.online();
  const request = virtual.publish('room', { text: 'hi' });
  const [sent] = virtual.takeSent();
  assert.deepEqual(sent, { type: 'publish', id: request, channel: 'room', idempotency_key: `key-${request}`, payload: { text: 'hi' } });
  virtual.says({ type: 'ok', id: request, position: '7', stored: true });
  assert.deepEqual(virtual.takeActions(), [{ type: 'done', request, answer: { position: '7', stored: true } }]);
  virtual.says({ type: 'ok', id: request, position: '7', stored: true });
  assert.deepEqual(virtual.takeActions(), []);
});

test('publications without an answer are sent again, with their keys, in their order, before what waits', () => {
  const virtual = Virtual.online();
  const requests = [virtual.publish('room', 1), virtual.publish('room', 2), virtual.publish('room', 3)];
  const first = virtual.takeSent();
  virtual.says({ type: 'ok', id: requests[1], position: '7', stored: true });
  virtual.breaks();
  virtual.publish('room', 4);
  virtual.takeActions();
  virtual.comeBack();
  virtual.open();
  const again = virtual.takeSent();
  assert.deepEqual(again.map(({ payload }) => payload), [1, 3, 4]);
  assert.deepEqual(again.slice(0, 2), [first[0], first[2]]);
});

test('a repetition that the first sending stands in the way of waits a moment', () => {
  const virtual = Virtual.online();
  const request = virtual.publish('room');
  virtual.reconnect();
  virtual.takeActions();
  virtual.says({ type: 'error', id: request, error: problem('conflict', 409) });
  assert.deepEqual(virtual.takeActions(), []);
  virtual.advance(250);
  assert.equal(virtual.takeSent()[0].id, request);
  virtual.says({ type: 'ok', id: request, position: '7', stored: true });
  assert.equal(virtual.takeOnly('done').request, request);
});

test('a conflict of the first sending is an error', () => {
  const virtual = Virtual.online();
  const request = virtual.publish('room');
  virtual.says({ type: 'error', id: request, error: problem('conflict', 409) });
  assert.equal(virtual.takeOnly('failed').error.type, 'conflict');
});

test('a broadcast collects responses in the order in which they come', () => {
  const virtual = Virtual.online();
  const request = virtual.broadcast('room');
  virtual.says({ type: 'ok', id: request, position: '7' });
  virtual.says({ type: 'reply', id: request, payload: { a: 1 } });
  virtual.says({ type: 'reply', id: request, payload: 'AQID', encoding: 'base64' });
  virtual.says({ type: 'reply', id: request, payload: null });
  virtual.says({ type: 'replies_end', id: request, complete: false });
  assert.deepEqual(virtual.takeOnly('done').answer, [{ a: 1 }, new Uint8Array([1, 2, 3]), null]);
});

test('a broadcast that could not be stored goes on collecting', () => {
  const virtual = Virtual.online();
  const request = virtual.broadcast('room');
  virtual.says({ type: 'ok', id: request, position: '7' });
  virtual.says({ type: 'error', id: request, error: problem('storage-full', 507, { position: '7' }) });
  virtual.says({ type: 'reply', id: request, payload: 1 });
  virtual.says({ type: 'replies_end', id: request, complete: false });
  const actions = virtual.takeActions().filter(({ type }) => type !== 'send');
  assert.deepEqual(actions.map(({ type }) => type), ['warning', 'done']);
  assert.deepEqual([actions[0].error.position, actions[1].answer], ['7', [1]]);
});

test('a refused broadcast fails', () => {
  const virtual = Virtual.online();
  const request = virtual.broadcast('room');
  virtual.says({ type: 'error', id: request, error: problem('not-permitted', 403, { channel: 'room', permission: 'publish' }) });
  assert.equal(virtual.takeOnly('failed').error.permission, 'publish');
});

test('a broadcast that a reconnect interrupts fails, with the responses that had come', () => {
  const virtual = Virtual.online();
  const request = virtual.broadcast('room');
  virtual.says({ type: 'ok', id: request, position: '7' });
  virtual.says({ type: 'reply', id: request, payload: 'early' });
  virtual.breaks();
  const { error } = virtual.takeOnly('failed');
  assert.deepEqual([error.name, error.type, error.responses], ['InterruptedError', 'interrupted', ['early']]);
  virtual.comeBack();
  virtual.open();
  assert.deepEqual(virtual.takeSent(), []);
});

test('a broadcast that was not sent yet waits for the connection', () => {
  const virtual = Virtual.online();
  virtual.breaks();
  const request = virtual.broadcast('room');
  assert.ok(!virtual.takeTypes().includes('failed'));
  virtual.comeBack();
  virtual.open();
  assert.equal(virtual.takeSent()[0].id, request);
});

test('a response is never sent twice', () => {
  const virtual = Virtual.online();
  const request = virtual.session.request('reply', 'reply', channel('room'), { to: '7', payload: 1 });
  assert.deepEqual(virtual.takeSent(), [{ type: 'reply', id: request, channel: 'room', to: '7', payload: 1 }]);
  virtual.breaks();
  assert.equal(virtual.takeOnly('failed').error.type, 'interrupted');
  virtual.comeBack();
  virtual.open();
  assert.deepEqual(virtual.takeSent(), []);
});

test('questions are asked again', () => {
  const virtual = Virtual.online();
  const request = virtual.session.request('read', 'history', channel('room'), { limit: 2 });
  virtual.reconnect();
  const sent = virtual.takeSent();
  assert.deepEqual(sent.at(-1), { type: 'history', id: request, channel: 'room', limit: 2 });
  virtual.says({ type: 'ok', id: request, messages: [{ position: '7', channel: 'room', name: 'x', payload: 'AQ==', encoding: 'base64' }], position: '9', gap: false });
  const { answer } = virtual.takeOnly('done');
  assert.deepEqual([answer.position, answer.gap, answer.messages[0].payload], ['9', false, new Uint8Array([1])]);
});

test('what is sent on a channel waits for its first subscribe, and overtakes nothing of the channel', () => {
  const virtual = Virtual.online();
  virtual.session.subscribe(channel('room'));
  const { id } = virtual.takeSent()[0];
  virtual.publish('room', 1);
  virtual.publish('elsewhere', 2);
  virtual.broadcast('room', 3);
  assert.deepEqual(virtual.takeSent().map(({ payload }) => payload), [2]);
  virtual.says({ type: 'ok', id, channels: [{ channel: 'room', position: '100', gap: false }] });
  assert.deepEqual(virtual.takeSent().map(({ payload }) => payload), [1, 3]);
});

test('a hundred broadcasts are on their way at once, and publications on other channels pass those that wait', () => {
  const virtual = Virtual.online();
  const requests = Array.from({ length: 102 }, (_, at) => virtual.broadcast('room', at));
  virtual.publish('room', 'behind');
  virtual.publish('elsewhere', 'past');
  const sent = virtual.takeSent();
  assert.equal(sent.length, 101);
  assert.equal(sent.at(-1).payload, 'past');
  virtual.says({ type: 'ok', id: requests[5], position: '7' });
  virtual.says({ type: 'replies_end', id: requests[5], complete: false });
  assert.deepEqual(virtual.takeSent().map(({ payload }) => payload), [100]);
  virtual.session.abandon(requests[6]);
  assert.deepEqual(virtual.takeSent().map(({ payload }) => payload), [101, 'behind']);
});

test('the queue has limits, and says so', () => {
  const virtual = new Virtual({ queueMax: 2, queueBytesMax: 400 });
  virtual.session.start(virtual.now);
  virtual.publish('room');
  virtual.publish('room', 'x'.repeat(400));
  const { error } = virtual.takeOnly('failed');
  assert.deepEqual([error.name, error.type], ['QueueFullError', 'queue-full']);
  virtual.publish('room');
  const refused = virtual.publish('room');
  assert.equal(virtual.takeOnly('failed').request, refused);
});

test('what the server would break the connection for is not sent', () => {
  const virtual = Virtual.online({ messageBytesMax: 300 });
  virtual.publish('room', '\u{1F3B6}'.repeat(60));
  const [failed, ...rest] = virtual.takeActions();
  assert.deepEqual([failed.error.name, failed.error.status, rest], ['TooLargeError', 413, []]);
});

test('a payload that has no form in JSON fails its own request alone', () => {
  const virtual = Virtual.online();
  const circle = {};
  circle.itself = circle;
  for (const payload of [circle, 1n]) {
    virtual.publish('room', payload);
    const { error } = virtual.takeOnly('failed');
    assert.deepEqual([error.type, error.parameter], ['invalid-parameter', 'payload']);
  }
});

test('what is abandoned is not sent', () => {
  const virtual = new Virtual();
  virtual.session.start(virtual.now);
  const request = virtual.publish('room');
  virtual.session.abandon(request);
  virtual.open();
  assert.deepEqual(virtual.takeSent(), []);
});

test('an error that answers nothing is told', () => {
  const virtual = Virtual.online();
  virtual.says({ type: 'error', error: problem('invalid-body', 400) });
  assert.equal(virtual.takeOnly('warning').error.type, 'invalid-body');
});
