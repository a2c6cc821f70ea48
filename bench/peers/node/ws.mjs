// A plain server with ws on node, as its documentation shows it, but with a long backlog and without compression. `/echo` gets its
// frames back; `/fanout?subscribe` gets what anyone sends to `/fanout`.
// Says where it listens on standard output, and serves until it is ended.

import { createServer } from "node:http";
import { WebSocketServer } from "ws";

// Connections that may wait to be accepted: more than a load opens at once, or the kernel has them try again a second later.
const BACKLOG = 4096;

const http = createServer();
const server = new WebSocketServer({ server: http });
const subscribers = new Set();

server.on("connection", (socket, request) => {
  socket.on("error", () => socket.terminate());
  if (request.url === "/echo") {
    socket.on("message", (message, isBinary) => socket.send(message, { binary: isBinary }));
  } else if (request.url === "/fanout?subscribe") {
    subscribers.add(socket);
    socket.on("close", () => subscribers.delete(socket));
  } else {
    socket.on("message", (message, isBinary) => {
      for (const subscriber of subscribers) {
        subscriber.send(message, { binary: isBinary });
      }
    });
  }
});

http.listen(0, "127.0.0.1", BACKLOG, () => {
  console.log(`listening on http://127.0.0.1:${http.address().port}`);
});
