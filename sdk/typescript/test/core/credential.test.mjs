// Credentials that are got, renewed and refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorOfProblem, UnreachableError } from '../../dist/esm/errors.js';
import { channel, problem, Virtual } from './virtual.mjs';

const HOUR = 3_600_000;
const RENEWABLE = { credential: { kind: 'renewable', token: undefined } };
const unauthorized = () => errorOfProblem(problem('unauthorized', 401));
const unreachable = () => new UnreachableError({ type: 'unreachable', detail: 'no' });

function loggedIn(lifetime = HOUR) {
  const virtual = new Virtual(RENEWABLE);
  virtual.session.start(virtual.now);
  assert.deepEqual(virtual.takeActions(), [{ type: 'fetch-credential', renewal: 'anew', token: undefined }]);
  virtual.session.handleCredential({ token: 'first', lifetime }, virtual.now);
  assert.deepEqual(virtual.takeActions(), [{ type: 'connect', token: 'first' }]);
  virtual.open();
  virtual.takeActions();
  return virtual;
}

/** Keeps the connection alive until time has passed. */
function pass(virtual, milliseconds) {
  for (let left = milliseconds; left > 0; left -= 20_000) {
    virtual.advance(Math.min(left, 20_000));
    virtual.says({ type: 'pong' });
  }
}

test('a token is renewed at half of its lifetime, on the same connection', () => {
  const virtual = loggedIn();
  pass(virtual, HOUR / 2 - 1);
  assert.deepEqual(virtual.takeActions(), []);
  virtual.advance(1);
  assert.deepEqual(virtual.takeActions(), [{ type: 'fetch-credential', renewal: 'refresh', token: 'first' }]);
  virtual.session.handleCredential({ token: 'second', lifetime: HOUR }, virtual.now);
  const [authenticate] = virtual.takeSent();
  assert.deepEqual(authenticate, { type: 'authenticate', id: authenticate.id, token: 'second' });
  virtual.says({ type: 'ok', id: authenticate.id, identity: 'ada' });
  assert.deepEqual(virtual.takeActions(), []);
  pass(virtual, HOUR / 2);
  assert.equal(virtual.takeOnly('fetch-credential').token, 'second');
});

test('a token that has expired when it comes is not renewed without a pause', () => {
  const virtual = loggedIn(0);
  for (let count = 0; count < 3; count += 1) {
    virtual.advance(499);
    assert.deepEqual(virtual.takeActions(), []);
    virtual.advance(1);
    assert.equal(virtual.takeOnly('fetch-credential').renewal, 'refresh');
    virtual.session.handleCredential({ token: `${count}`, lifetime: 0 }, virtual.now);
    virtual.takeActions();
  }
});

test('a server that does not renew live connections gets another', () => {
  const virtual = loggedIn();
  virtual.listen('room');
  pass(virtual, HOUR / 2);
  virtual.session.handleCredential({ token: 'second', lifetime: HOUR }, virtual.now);
  const { id } = virtual.takeSent()[0];
  virtual.says({ type: 'error', id, error: problem('invalid-parameter', 400, { parameter: 'type' }) });
  const actions = virtual.takeActions();
  assert.deepEqual(actions.map(({ type }) => type), ['offline', 'disconnect', 'connect']);
  assert.equal(actions[2].token, 'second');
  virtual.open();
  assert.equal(virtual.takeSent()[0].channels[0].since, '100');
});

test('a refresh that is refused is a login anew, and a login that is refused the end', () => {
  const virtual = loggedIn();
  pass(virtual, HOUR / 2);
  virtual.takeActions();
  virtual.session.handleCredentialFailure(unauthorized(), virtual.now);
  assert.deepEqual(virtual.takeActions(), [{ type: 'fetch-credential', renewal: 'anew', token: undefined }]);
  virtual.session.handleCredentialFailure(unauthorized(), virtual.now);
  assert.equal(virtual.takeOnly('ended').error.status, 401);
});

test('a refresh that does not come about is tried again, and the connection stays', () => {
  const virtual = loggedIn();
  pass(virtual, HOUR / 2);
  virtual.takeActions();
  virtual.session.handleCredentialFailure(unreachable(), virtual.now);
  assert.deepEqual(virtual.takeTypes(), ['warning']);
  virtual.advance(375);
  assert.equal(virtual.takeOnly('fetch-credential').renewal, 'refresh');
});

test('a login that does not come about is tried again', () => {
  const virtual = new Virtual(RENEWABLE);
  virtual.session.start(virtual.now);
  virtual.takeActions();
  virtual.session.handleCredentialFailure(unreachable(), virtual.now);
  assert.equal(virtual.takeOnly('reconnecting').delay, 375);
  virtual.advance(375);
  assert.equal(virtual.takeOnly('fetch-credential').renewal, 'anew');
});

test('who comes back with a token past its half refreshes it first, and with an expired one logs in', () => {
  for (const [away, renewal] of [[HOUR * 0.6, 'refresh'], [HOUR * 1.1, 'anew']]) {
    const virtual = loggedIn();
    virtual.breaks();
    virtual.takeActions();
    virtual.now += away;
    virtual.advance(0);
    assert.equal(virtual.takeOnly('fetch-credential').renewal, renewal);
  }
});

test('a token that the server does not take is replaced once, and then it is over', () => {
  const virtual = loggedIn();
  virtual.breaks();
  const refuse = () => {
    virtual.comeBack();
    virtual.takeActions();
    virtual.session.handleConnectFailure();
    virtual.session.handleRefusal(unauthorized(), virtual.now);
  };
  refuse();
  assert.ok(virtual.takeTypes().includes('reconnecting'));
  virtual.comeBack();
  assert.equal(virtual.takeOnly('fetch-credential').renewal, 'anew');
  virtual.session.handleCredential({ token: 'second', lifetime: HOUR }, virtual.now);
  refuse();
  assert.equal(virtual.takeOnly('ended').error.status, 401);
});

test('a connection that ends with its credential comes back with another', () => {
  const virtual = loggedIn();
  virtual.breaks(4001, 'the credential has expired');
  virtual.advance(375);
  assert.equal(virtual.takeActions().at(-1).renewal, 'anew');
});

test('a connection that ends with an old credential comes back with the new one', () => {
  const virtual = loggedIn();
  pass(virtual, HOUR / 2);
  virtual.takeActions();
  virtual.breaks();
  virtual.advance(375);
  virtual.takeActions();
  virtual.session.handleCredential({ token: 'second', lifetime: HOUR }, virtual.now);
  assert.equal(virtual.takeOnly('connect').token, 'second');
});

/** One that connects with its first token while that is renewed already. */
function renewedWhileConnecting() {
  const virtual = loggedIn();
  virtual.breaks();
  virtual.comeBack();
  assert.equal(virtual.takeActions().at(-1).token, 'first');
  virtual.session.handleCredential({ token: 'second', lifetime: HOUR }, virtual.now);
  return virtual;
}

test('a token that is renewed while a connection begins is presented when it is there', () => {
  const virtual = renewedWhileConnecting();
  virtual.open();
  const [authenticate] = virtual.takeSent();
  assert.deepEqual([authenticate.type, authenticate.token], ['authenticate', 'second']);
});

test('a token that is refused when there is a newer one already makes way for that', () => {
  const virtual = renewedWhileConnecting();
  virtual.session.handleConnectFailure();
  virtual.session.handleRefusal(unauthorized(), virtual.now);
  virtual.comeBack();
  assert.equal(virtual.takeActions().at(-1).token, 'second');
});

test('a token that is got while offline is asked for only once', () => {
  const virtual = loggedIn();
  pass(virtual, HOUR / 2);
  virtual.breaks();
  assert.equal(virtual.takeActions().filter(({ type }) => type === 'fetch-credential').length, 1);
  virtual.advance(375);
  assert.deepEqual(virtual.takeActions(), []);
  virtual.session.handleCredential({ token: 'second', lifetime: HOUR }, virtual.now);
  assert.equal(virtual.takeOnly('connect').token, 'second');
});

test('the end waits for nothing that is still being got', () => {
  const virtual = new Virtual(RENEWABLE);
  virtual.session.start(virtual.now);
  virtual.session.subscribe(channel('room'));
  virtual.session.close();
  virtual.takeActions();
  virtual.session.handleCredential({ token: 'late', lifetime: HOUR }, virtual.now);
  virtual.session.handleCredentialFailure(unauthorized(), virtual.now);
  assert.deepEqual(virtual.takeActions(), []);
});
