// Gives the reference implementation what its adapters in memory lack: sessions that outlive the process.

import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { SessionAwareAdapter } from 'socket.io-adapter';

/** An adapter that has all in a file of `directory` before anyone is told of it. Slow, and good for tests alone. */
export function persisting(directory) {
  return class extends SessionAwareAdapter {
    #file;

    constructor(namespace) {
      super(namespace);
      this.#file = path.join(directory, `${encodeURIComponent(namespace.name)}.v8`);
      if (!existsSync(this.#file)) return;
      const { packets, sessions } = deserialize(readFileSync(this.#file));
      this.packets = packets;
      this.sessions = sessions;
    }

    addAll(id, rooms) {
      super.addAll(id, rooms);
      this.#save();
    }

    del(id, room) {
      super.del(id, room);
      this.#save();
    }

    persistSession(session) {
      super.persistSession(session);
      this.#save();
    }

    // What is broadcast comes by here, remembered but not yet sent.
    apply(opts, callback) {
      this.#save();
      super.apply(opts, callback);
    }

    #save() {
      const sessions = new Map(this.sessions);
      // Those that are connected, too: a process that is killed has no time to say good-bye to them.
      for (const [sid, rooms] of this.sids) {
        const socket = this.nsp.sockets.get(sid);
        if (!socket?.pid) continue;
        sessions.set(socket.pid, { sid, pid: socket.pid, rooms: [...rooms], data: socket.data, disconnectedAt: Date.now() });
      }
      writeFileSync(`${this.#file}.new`, serialize({ packets: this.packets, sessions }));
      renameSync(`${this.#file}.new`, this.#file);
    }
  };
}
