// The Socket.IO loads' server with socket.io on node, as its documentation shows it, but with a long backlog.
// Says where it listens on standard output, and serves until it is ended.

import { createServer } from "node:http";
import { Server } from "socket.io";

const ROOM = "bench";

// Connections that may wait to be accepted: more than a load opens at once, or the kernel has them try again a second later.
const BACKLOG = 4096;

const http = createServer();
const io = new Server(http);

io.on("connection", (socket) => {
  socket.on("join", (ack) => {
    socket.join(ROOM);
    ack();
  });
  socket.on("broadcast", (message) => {
    io.to(ROOM).emit("m", message);
  });
  socket.on("echo", (message, ack) => {
    ack(message);
  });
});

http.listen(0, "127.0.0.1", BACKLOG, () => {
  console.log(`listening on http://127.0.0.1:${http.address().port}`);
});
