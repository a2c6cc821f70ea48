// How connections begin, break and come back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorOfProblem, UnauthorizedError, UnreachableError } from '../../dist/esm/errors.js';
import { channel, problem, Virtual } from './virtual.mjs';

test('a session connects, and is online with the first message', () => {
  const virtual = new Virtual();
  virtual.session.start(virtual.now);
  assert.deepEqual(virtual.takeActions(), [{ type: 'connect', token: undefined }]);
  assert.equal(virtual.session.state, 'connecting');
  virtual.open();
  assert.deepEqual(virtual.takeActions(), [{ type: 'online', identity: 'ada' }]);
});

test('a socket that does not come about is looked into, and tried again after growing pauses', () => {
  const virtual = new Virtual();
  virtual.session.start(virtual.now);
  const delays = [];
  for (let attempt = 0; attempt < 8; attempt += 1) {
    assert.equal(virtual.takeActions().at(-1).type, 'connect');
    virtual.session.handleConnectFailure();
    assert.equal(virtual.takeOnly('ask-why').token, undefined);
    virtual.session.handleRefusal(new UnreachableError({ type: 'unreachable', detail: 'no' }), virtual.now);
    const { delay } = virtual.takeOnly('reconnecting');
    delays.push(delay);
    virtual.advance(delay - 1);
    assert.deepEqual(virtual.takeActions(), []);
    virtual.advance(1);
  }
  assert.deepEqual(delays, [375, 750, 1500, 3000, 6000, 12_000, 22_500, 22_500]);
});

test('pauses begin anew only after a connection that has stood for a while', () => {
  const virtual = Virtual.online();
  const pauses = [];
  for (const stood of [0, 4_999, 5_000]) {
    virtual.advance(stood);
    virtual.breaks();
    const { delay } = virtual.takeOnly('reconnecting');
    pauses.push(delay);
    virtual.advance(delay);
    virtual.open();
    virtual.takeActions();
  }
  assert.deepEqual(pauses, [375, 750, 375]);
});

test('an attempt that takes too long is given up', () => {
  const virtual = new Virtual();
  virtual.session.start(virtual.now);
  virtual.takeActions();
  virtual.advance(10_000);
  assert.deepEqual(virtual.takeTypes(), ['disconnect', 'reconnecting']);
  assert.equal(virtual.session.state, 'waiting');
});

test('a refusal that says when to come back is heeded', () => {
  const virtual = new Virtual();
  virtual.session.start(virtual.now);
  virtual.session.handleConnectFailure();
  virtual.takeActions();
  virtual.session.handleRefusal(errorOfProblem(problem('overloaded', 503), 503, 7_000), virtual.now);
  assert.equal(virtual.takeOnly('reconnecting').delay, 7_000);
});

test('a refused origin ends it, and so does a refused fixed credential', () => {
  for (const refusal of [problem('origin-refused', 403), problem('unauthorized', 401)]) {
    const virtual = new Virtual({ credential: { kind: 'fixed', token: 'bad' } });
    virtual.session.start(virtual.now);
    const request = virtual.publish('room');
    virtual.session.handleConnectFailure();
    assert.equal(virtual.takeOnly('ask-why').token, 'bad');
    virtual.session.handleRefusal(errorOfProblem(refusal), virtual.now);
    const actions = virtual.takeActions();
    assert.deepEqual(actions.map(({ type }) => type), ['disconnect', 'failed', 'ended']);
    assert.equal(actions[1].request, request);
    assert.equal(actions[2].error.status, refusal.status);
    assert.equal(virtual.session.pollTimeout(), undefined);
  }
});

test('a silent server is asked, and given up when it does not answer', () => {
  const virtual = Virtual.online();
  virtual.advance(25_000);
  assert.deepEqual(virtual.takeSent(), [{ type: 'ping' }]);
  virtual.advance(9_999);
  virtual.says({ type: 'pong' });
  virtual.advance(24_999);
  assert.deepEqual(virtual.takeActions(), []);
  virtual.advance(1 + 10_000);
  assert.deepEqual(virtual.takeTypes(), ['send', 'disconnect', 'offline', 'reconnecting']);
});

test('what comes of the server counts as a sign of life', () => {
  const virtual = Virtual.online();
  for (let at = 0; at < 10; at += 1) {
    virtual.advance(20_000);
    virtual.message('room', '5');
  }
  assert.deepEqual(virtual.takeActions(), []);
});

test('what is no message of the server breaks the connection', () => {
  for (const text of ['{', '[]', '"open"', '{"type":"ok"}', '{"type":"message","position":"x","channel":"room"}']) {
    const virtual = Virtual.online();
    virtual.session.handleText(text, virtual.now);
    const actions = virtual.takeActions();
    assert.deepEqual(actions.map(({ type }) => type), ['disconnect', 'offline', 'reconnecting'], text);
    assert.equal(actions[1].error.type, 'protocol');
  }
});

test('what a later server says is passed over', () => {
  const virtual = Virtual.online();
  virtual.says({ type: 'weather', forecast: ['rain'] });
  virtual.says({ type: 'pong', members: 'more' });
  assert.deepEqual(virtual.takeActions(), []);
});

test('close codes decide whether to come back', () => {
  for (const [code, comesBack] of [[1000, true], [1001, true], [1012, true], [1013, true], [1006, true], [1003, false], [1008, false], [1009, false]]) {
    const virtual = Virtual.online();
    virtual.breaks(code, 'because');
    const types = virtual.takeTypes();
    assert.equal(types.at(-1), comesBack ? 'reconnecting' : 'ended', code);
  }
});

test('a server that says not to come back is obeyed, and its reason is told', () => {
  const virtual = Virtual.online();
  virtual.says({ type: 'close', reason: 'go away', reconnect: false });
  virtual.breaks(1000);
  assert.match(virtual.takeOnly('ended').error.detail, /go away/);
});

test('an expired fixed credential ends it', () => {
  const virtual = Virtual.online({ credential: { kind: 'fixed', token: 'old' } });
  virtual.breaks(4001, 'the credential has expired');
  assert.ok(virtual.takeOnly('ended').error instanceof UnauthorizedError);
});

test('a network that is back ends the pause', () => {
  const virtual = Virtual.online();
  virtual.breaks();
  virtual.takeActions();
  virtual.session.nudge(virtual.now);
  assert.deepEqual(virtual.takeTypes(), ['connect']);
  virtual.session.nudge(virtual.now);
  assert.deepEqual(virtual.takeTypes(), []);
});

test('closing fails what waits, and what comes after it', () => {
  const virtual = Virtual.online();
  const first = virtual.publish('room');
  virtual.takeActions();
  virtual.session.close();
  const actions = virtual.takeActions();
  assert.deepEqual(actions.map(({ type }) => type), ['disconnect', 'offline', 'failed', 'ended']);
  assert.deepEqual([actions[2].request, actions[2].error.type, actions[3].error], [first, 'closed', undefined]);
  virtual.session.close();
  virtual.publish('room');
  virtual.session.subscribe(channel('room'));
  assert.deepEqual(virtual.takeTypes(), ['failed', 'refused']);
  virtual.message('room', '5');
  virtual.breaks();
  assert.deepEqual(virtual.takeActions(), []);
});
