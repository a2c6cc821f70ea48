// A server, and clients of it that come in one of the ways.

import { Server } from '../../standalone/harness/server.mjs';
import { Client } from './client.mjs';
import { STRICT, WAYS, configuration } from './keysets.mjs';

const EVERYTHING = { read: true, write: true, manage: true, delete: true, get: true, update: true, join: true };
let made = 0;

/** A name that no other test has. */
export function fresh(name) {
  made += 1;
  return `${name}-${process.pid.toString(36)}-${made}`;
}

/** Where the tests of a file are run: a server, and each way in which clients come. */
export class Place {
  server;

  static async start(more) {
    const place = new Place();
    place.server = await Server.start(undefined, configuration(more));
    return place;
  }

  stop() {
    return this.server.stop();
  }

  /** A client of the org in which nobody may do anything without being granted it. */
  strict(t, userId, options = {}) {
    return Client.open(t, this.server, STRICT, { userId, ...options });
  }

  /** A server's client there: it signs what it asks. */
  strictAdmin(t) {
    return this.strict(t, 'admin', { secretKey: STRICT.secretKey });
  }

  /** A client that may do everything, as clients that come in this way do. */
  async client(t, way, userId = fresh('user'), options = {}) {
    if (!way.token) return Client.open(t, this.server, way.keyset, { userId, ...(way.secret && { secretKey: way.keyset.secretKey }), ...options });
    const client = Client.open(t, this.server, way.keyset, { userId, ...options });
    client.pubnub.setToken(await this.token(t, way.keyset));
    return client;
  }

  /** A token that permits everything. */
  async token(t, keyset) {
    const admin = Client.open(t, this.server, keyset, { userId: 'admin', secretKey: keyset.secretKey });
    const all = { '.*': EVERYTHING };
    return admin.ask('grantToken', { ttl: 60, patterns: { channels: all, groups: all, uuids: all } });
  }
}

/** Calls `declare` with each way, for tests that are to hold in all of them. */
export function inEachWay(declare) {
  for (const way of WAYS) declare(way);
}
