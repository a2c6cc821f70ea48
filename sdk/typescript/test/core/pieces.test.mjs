// The small parts by themselves.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '../../dist/esm/core/backoff.js';
import { fromBase64, readPayload, toBase64, utf8Length, writePayload } from '../../dist/esm/core/payload.js';
import { before, isAfter, isPosition } from '../../dist/esm/core/position.js';
import { Timers } from '../../dist/esm/core/timers.js';
import { errorOfProblem } from '../../dist/esm/errors.js';
import { lifetimeOf, signJwt } from '../../dist/esm/jwt.js';
import { withDefaults } from '../../dist/esm/options.js';
import { problem } from './virtual.mjs';

test('pauses are between half of their cap and the cap', () => {
  for (const [random, expected] of [[0, [50, 100, 200]], [0.999999, [100, 200, 400]]]) {
    const backoff = new Backoff(100, 1000, () => random);
    assert.deepEqual(expected.map(() => Math.round(backoff.next())), expected);
  }
  const backoff = new Backoff(100, 1000, () => 0);
  for (let at = 0; at < 2000; at += 1) backoff.next();
  assert.equal(backoff.next(), 500);
});

test('timers fire in the order of their times', () => {
  const timers = new Timers();
  timers.set('retry', 30);
  timers.set('pong', 10);
  timers.set('renew', 20);
  timers.set('retry', 5);
  timers.clear('renew');
  assert.equal(timers.next(), 5);
  assert.deepEqual([timers.takeDue(9), timers.takeDue(9), timers.takeDue(10), timers.next()], ['retry', undefined, 'pong', undefined]);
});

test('positions are compared as numbers', () => {
  assert.ok(isAfter('10', '9'));
  assert.ok(!isAfter('9', '10'));
  assert.ok(!isAfter('17325678901234567', '17325678901234567'));
  assert.ok(isAfter('17325678901234568', '17325678901234567'));
  assert.deepEqual([before('17325678901234568'), before('1'), before('0')], ['17325678901234567', '0', '0']);
  for (const not of ['', '01', '-1', 'x', 5, null, '12345678901234567890']) assert.ok(!isPosition(not), String(not));
});

test('bytes survive, whatever view they come in', () => {
  const bytes = Uint8Array.from({ length: 70_000 }, (_, at) => at % 256);
  assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
  const views = [bytes.subarray(1, 5), new DataView(bytes.buffer, 1, 4), bytes.buffer.slice(1, 5), Buffer.from(bytes.subarray(1, 5))];
  for (const view of views) {
    const written = writePayload(view);
    assert.deepEqual(written, { payload: 'AQIDBA==', encoding: 'base64' });
    assert.deepEqual(readPayload(written), bytes.slice(1, 5));
  }
});

test('what is not bytes is JSON, and what is missing null', () => {
  for (const payload of [null, 0, '', 'AQ==', { a: [1] }, false]) assert.deepEqual(writePayload(payload), { payload });
  assert.deepEqual(writePayload(undefined), { payload: null });
  assert.equal(readPayload({}), null);
  for (const payload of [() => {}, Symbol('x')]) assert.throws(() => writePayload(payload), { type: 'invalid-parameter' });
});

test('lengths are those of UTF-8', () => {
  for (const text of ['', 'abc', 'Grüße', '世界', '🎶', 'a\u0800\uffff', '\u07ff']) assert.equal(utf8Length(text), Buffer.byteLength(text), text);
});

test('problem documents become errors of their kind', () => {
  for (const [type, status, name] of [
    ['unauthorized', 401, 'UnauthorizedError'],
    ['not-permitted', 403, 'NotPermittedError'],
    ['origin-refused', 403, 'NotPermittedError'],
    ['nobody-collects', 404, 'NobodyCollectsError'],
    ['too-large', 413, 'TooLargeError'],
    ['rate-limited', 429, 'RateLimitedError'],
    ['overloaded', 503, 'UnavailableError'],
    ['storage-full', 507, 'UnavailableError'],
    ['conflict', 409, 'AntiphonError'],
  ]) {
    const error = errorOfProblem(problem(type, status, { channel: 'room', consumer: true, permission: 'publish', parameter: 'x', position: '7' }));
    assert.deepEqual([error.name, error.type, error.status, error.message], [name, type, status, `${type}, said the server`]);
    assert.deepEqual(error.channel, { name: 'room', system: false, consumer: true });
    assert.deepEqual([error.permission, error.parameter, error.position], ['publish', 'x', '7']);
  }
});

test('whatever a proxy answers becomes an error too', () => {
  assert.deepEqual([errorOfProblem(undefined, 502).name, errorOfProblem('<html>', 502).type], ['UnavailableError', 'unavailable']);
  assert.equal(errorOfProblem({ type: 'about:blank', title: 'Upgrade Required', status: 426 }).type, 'protocol');
  assert.deepEqual(errorOfProblem({ code: 'unauthorized', message: 'no such user', status: 401 }).detail, 'no such user');
});

test('a login is signed as RFC 7515 says', async () => {
  const token = await signJwt({ type: 'device', uuid: 'test-uuid' }, 'test-secret');
  const [header, claims, signature] = token.split('.');
  assert.deepEqual(JSON.parse(Buffer.from(header, 'base64url')), { alg: 'HS256', typ: 'JWT' });
  assert.deepEqual(JSON.parse(Buffer.from(claims, 'base64url')), { type: 'device', uuid: 'test-uuid' });
  const { createHmac } = await import('node:crypto');
  assert.equal(signature, createHmac('sha256', 'test-secret').update(`${header}.${claims}`).digest('base64url'));
});

test('a lifetime is what the issuer\'s clock says', () => {
  const token = (claims) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.x`;
  assert.equal(lifetimeOf(token({ iat: 1000, exp: 1600 }), 0), 600_000);
  assert.equal(lifetimeOf(token({ iat: 1_700_000_000_000, exp: 1_700_000_600_000 }), 0), 600_000);
  assert.equal(lifetimeOf(token({ exp: 1600, name: 'Ünï' }), 1_000_000), 600_000);
  for (const not of [token({}), token({ exp: 'soon' }), 'an-api-key', '', 'a.b.c']) assert.equal(lifetimeOf(not, 0), undefined, not);
});

test('options are checked', () => {
  assert.equal(withDefaults({ url: 'wss://example.com/antiphon/' }).base, 'https://example.com/antiphon');
  assert.equal(withDefaults({ url: 'http://127.0.0.1:8080', queueMax: undefined }).queueMax, 10_000);
  for (const [options, parameter] of [
    [{ url: 'nowhere' }, 'url'],
    [{ url: 'ftp://example.com' }, 'url'],
    [{ url: 'http://a', queueMax: 0 }, 'queueMax'],
    [{ url: 'http://a', token: 't', device: { uuid: 'u', secret: 's' } }, 'device'],
  ]) {
    assert.throws(() => withDefaults(options), { name: 'AntiphonError', type: 'invalid-parameter', parameter });
  }
});
