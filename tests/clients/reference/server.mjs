// The test server's twin, on the reference implementation: it shows that the tests are right. `server/` is the one under test.
//
//   node server.mjs '{"port": 0, "ping_interval_ms": 300}'
//
// What it does is what README.md says of both.

import { createServer } from 'node:http';
import { Server } from 'socket.io';
import * as msgpackParser from 'socket.io-msgpack-parser';
import { persisting } from './persistence.mjs';

const settings = JSON.parse(process.argv[2] ?? '{}');
const tell = (what) => console.log(JSON.stringify(what));

const options = {
  path: settings.path ?? '/socket.io/',
  pingInterval: settings.ping_interval_ms ?? 25_000,
  pingTimeout: settings.ping_timeout_ms ?? 20_000,
  connectTimeout: settings.connect_timeout_ms ?? 45_000,
  maxHttpBufferSize: settings.max_payload_bytes ?? 1_000_000,
  transports: settings.transports ?? ['polling', 'websocket'],
  allowEIO3: settings.allow_eio3 ?? true,
  perMessageDeflate: settings.per_message_deflate ? { threshold: 1024 } : false,
  cookie: settings.cookie ?? false,
  cors: { origin: settings.cors_origin ?? '*', credentials: settings.cors_credentials ?? false },
  serveClient: Boolean(settings.serve_client),
};
if (settings.msgpack) options.parser = msgpackParser.default ?? msgpackParser;
if (settings.recovery_ms) {
  options.connectionStateRecovery = { maxDisconnectionDuration: settings.recovery_ms, skipMiddlewares: true };
  if (settings.data_dir) options.adapter = persisting(settings.data_dir);
}

const http = createServer((_, response) => response.writeHead(404).end());
const io = new Server(http, options);

io.on('connection', welcome);
io.of('/custom').on('connection', (socket) => {
  welcome(socket);
  socket.emit('auth', socket.handshake.auth);
});
io.of('/members').use((socket, next) => {
  if (socket.handshake.auth.token === 'secret') return next();
  const refusal = new Error('not a member');
  refusal.data = { code: 401, hint: 'ask for a token' };
  return next(refusal);
});
io.of('/members').on('connection', welcome);
io.of(/^\/tables\/\d+$/).on('connection', welcome);

function welcome(socket) {
  const namespace = socket.nsp.name;
  tell({ connected: { namespace, id: socket.id, recovered: socket.recovered } });
  socket.on('disconnect', (reason) => tell({ disconnected: { namespace, id: socket.id, reason } }));

  socket.use(([event], next) => next(event === 'forbidden' ? new Error('this event is forbidden') : undefined));
  socket.on('error', (error) => socket.emit('refused', error.message));

  echoes(socket);
  questions(socket);
  rooms(socket);
  state(socket);
}

function echoes(socket) {
  socket.on('echo', (...values) => socket.emit('echo', ...values));
  socket.on('answer', (...values) => values.pop()(...values));
  socket.on('measure', (bytes, ack) => ack(Buffer.isBuffer(bytes) ? bytes.length : null));
  socket.on('count', (n) => {
    for (let i = 0; i < n; i++) socket.emit('number', i);
  });
  socket.on('count volatile', (n) => {
    for (let i = 0; i < n; i++) socket.volatile.emit('number', i);
    socket.emit('counted');
  });
  socket.on('bye', (how) => socket.disconnect(how === 'connection'));
}

function questions(socket) {
  // Asks the client back, and tells it what it answered.
  socket.on('ask me', (timeoutMs, ...values) => {
    socket.timeout(timeoutMs).emit('question', ...values, (error, ...answers) => {
      socket.emit('answered', error ? 'timed out' : null, ...answers);
    });
  });
  socket.on('ask room', (room, timeoutMs, value, ack) => {
    socket.to(room).timeout(timeoutMs).emit('question', value, (error, answers) => ack(error ? 'timed out' : null, answers));
  });
}

function rooms(socket) {
  const everyone = socket.nsp;
  socket.on('join', async (names, ack) => {
    await socket.join(names);
    ack();
  });
  socket.on('leave', async (name, ack) => {
    await socket.leave(name);
    ack();
  });
  socket.on('rooms', (ack) => ack([...socket.rooms].filter((room) => room !== socket.id)));
  socket.on('say', (names, ...values) => socket.to(names).emit('said', ...values));
  socket.on('say to all in', (names, ...values) => everyone.to(names).emit('said', ...values));
  socket.on('say except', (names, except, ...values) => everyone.to(names).except(except).emit('said', ...values));
  socket.on('say volatile', (names, ...values) => socket.to(names).volatile.emit('said', ...values));
  socket.on('announce', (...values) => socket.broadcast.emit('announced', ...values));
  socket.on('announce to all', (...values) => everyone.emit('announced', ...values));
  // To one socket, by its id.
  socket.on('whisper', (id, ...values) => socket.to(id).emit('said', ...values));
  socket.on('who is in', async (room, ack) => {
    const sockets = await everyone.in(room).fetchSockets();
    ack(sockets.map(({ id }) => id).sort());
  });
}

function state(socket) {
  socket.on('who am i', (ack) => {
    const { auth, query } = socket.handshake;
    ack({ id: socket.id, recovered: socket.recovered, transport: socket.conn.transport.name, auth, query });
  });
  socket.on('remember', (value, ack) => {
    socket.data.remembered = value;
    ack();
  });
  socket.on('recall', (ack) => ack(socket.data.remembered ?? null));
}

process.on('SIGTERM', () => io.close(() => process.exit(0)));

http.listen(settings.port ?? 0, '127.0.0.1', () => {
  tell({ listening: `http://127.0.0.1:${http.address().port}` });
});
