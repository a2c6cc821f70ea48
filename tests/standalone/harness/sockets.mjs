// Socket.IO clients as people use them.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { ask, next, within } from '../../clients/harness/deadline.mjs';

const require = createRequire(import.meta.url);
const { io } = require('sio4');
const io2 = require('sio2');

/** A socket that is closed when the test is over. */
export function open(t, url, options = {}, connect = io) {
  const socket = connect(url, { forceNew: true, reconnection: false, transports: ['websocket'], ...options });
  t.after(() => {
    socket.disconnect();
    // A manager that still tries to connect would keep the process.
    (socket.io._close ?? socket.io.close).call(socket.io);
  });
  return socket;
}

/** One that is connected. */
export async function connect(t, url, options) {
  const socket = open(t, url, options);
  await connected(socket);
  return socket;
}

/** A socket of the client 2.5. */
export function open2(t, url, options) {
  return open(t, url, options, io2);
}

/** One that is connected. */
export async function connect2(t, url, options) {
  const socket = open2(t, url, options);
  await next(socket, 'connect');
  return socket;
}

/** Waits until a socket is connected, or says why it is not. */
export async function connected(socket) {
  const refused = new Promise((_, reject) => socket.once('connect_error', reject));
  await within(Promise.race([new Promise((resolve) => socket.once('connect', resolve)), refused]), 'connection');
}

/** Why a socket is not connected: the error, with its data. */
export async function refused(t, url, options) {
  const socket = open(t, url, options);
  socket.once('connect', () => assert.fail('the socket was connected'));
  const [error] = await next(socket, 'connect_error');
  return error;
}

/** What an event is answered, which has to be a success. */
export async function ok(socket, event, ...values) {
  const [answer] = await ask(socket, event, ...values);
  assert.equal(answer.status, 'ok', JSON.stringify(answer));
  return answer;
}

/** The problem that an event is answered with: the last word of its type, and all of it. */
export async function problem(socket, event, ...values) {
  const [answer] = await ask(socket, event, ...values);
  assert.equal(answer.status, 'error', JSON.stringify(answer));
  const { error } = answer;
  return { ...error, word: error.type.replace('urn:antiphon:problem:', '') };
}
