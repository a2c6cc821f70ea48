// The conformance example's twin, on the reference implementation: what the official suites and ours ask for.
//
// It takes its settings from the same variables: PORT, PING_INTERVAL_MS, PING_TIMEOUT_MS, EIO3.

import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { Server } from 'socket.io';

// Engine.IO is a dependency of socket.io, and of the same version.
const { attach } = createRequire(createRequire(import.meta.url).resolve('socket.io'))('engine.io');

const engineSettings = {
  pingInterval: Number(process.env.PING_INTERVAL_MS ?? 300),
  pingTimeout: Number(process.env.PING_TIMEOUT_MS ?? 200),
  maxHttpBufferSize: 1_000_000,
  allowEIO3: process.env.EIO3 !== '0',
  cors: { origin: '*' },
};

const http = createServer((_, response) => response.writeHead(404).end());

const echo = attach(http, { ...engineSettings, path: '/engine.io/', destroyUpgrade: false });
echo.on('connection', (session) => session.on('message', (data) => session.send(data)));

const io = new Server(http, { ...engineSettings, connectTimeout: 1000, destroyUpgrade: false });
for (const namespace of ['/', '/custom']) {
  io.of(namespace).on('connection', (socket) => {
    socket.emit('auth', socket.handshake.auth);
    socket.on('message', (...values) => socket.emit('message-back', ...values));
    socket.on('message-with-ack', (...values) => values.pop()(...values));
  });
}

http.listen(Number(process.env.PORT ?? 3000), () => {
  console.log(`listening on http://127.0.0.1:${http.address().port}`);
});
