// A session and a model of the server, joined by a link that loses whatever is under way when it breaks, at random times.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { channel, Virtual } from './virtual.mjs';

const CHANNELS = ['a', 'b', 'c'];

/** Random numbers that are the same each time. */
function seeded(seed) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

/** What the server does, as far as it matters here: positions, keys, recovery. */
class Model {
  log = [];
  keys = new Map();
  #position = 1000;
  /** The channels of the connection. */
  #live = new Set();
  say;

  connect(say) {
    this.say = say;
    this.#live.clear();
    say({ type: 'open', session: '1', identity: 'ada', position: String(this.#position) });
  }

  publish(name, payload) {
    this.#position += 1;
    const message = { type: 'message', position: String(this.#position), channel: name, name: 'message', payload };
    this.log.push(message);
    if (this.#live.has(name)) this.say(message);
    return message.position;
  }

  hear({ type, id, channel: name, payload, idempotency_key: key, channels }) {
    switch (type) {
      case 'publish': {
        const known = this.keys.get(key);
        const position = known ?? this.publish(name, payload);
        this.keys.set(key, position);
        return this.say({ type: 'ok', id, position, stored: true });
      }
      case 'subscribe': {
        const position = String(this.#position);
        for (const { channel } of channels) {
          assert.ok(!this.#live.has(channel), 'subscribed to twice');
          this.#live.add(channel);
        }
        this.say({ type: 'ok', id, channels: channels.map(({ channel }) => ({ channel, position, gap: false })) });
        const since = new Map(channels.map(({ channel, since }) => [channel, since]));
        for (const message of this.log) {
          const from = since.get(message.channel);
          if (from !== undefined && Number(message.position) > Number(from)) this.say(message);
        }
        return undefined;
      }
      case 'unsubscribe':
        for (const { channel } of channels) this.#live.delete(channel);
        return undefined;
      case 'broadcast':
        this.publish(name, payload);
        this.say({ type: 'ok', id, position: String(this.#position) });
        return this.say({ type: 'replies_end', id, complete: false });
      case 'ping':
        return this.say({ type: 'pong' });
      default:
        return assert.fail(`an unexpected ${type}`);
    }
  }
}

/** Both ends, and what is under way between them. */
class World {
  virtual = new Virtual();
  model = new Model();
  outcomes = new Map();
  heard = new Map(CHANNELS.map((name) => [name, []]));
  #toServer = [];
  #toClient = [];
  #isUp = false;
  #random;

  constructor(random) {
    this.#random = random;
    this.virtual.session.start(this.virtual.now);
  }

  /** Carries something, or nothing, or breaks the link. */
  step(breaks) {
    this.perform();
    const dice = this.#random();
    if (this.#isUp && dice < breaks) this.#break();
    else if (this.#toServer.length > 0 && dice < 0.6) this.model.hear(JSON.parse(this.#toServer.shift()));
    else if (this.#toClient.length > 0) this.virtual.says(this.#toClient.shift());
    else this.virtual.advance(50);
    this.perform();
  }

  #break() {
    this.#isUp = false;
    this.#toServer = [];
    this.#toClient = [];
    this.virtual.breaks();
  }

  perform() {
    for (const action of this.virtual.takeActions()) {
      switch (action.type) {
        case 'connect':
          this.#isUp = true;
          this.#toServer = [];
          this.#toClient = [];
          // Whoever had it before hears of it no more.
          this.model.connect((message) => this.#toClient.push(message));
          break;
        case 'disconnect':
          this.#isUp = false;
          break;
        case 'send':
          this.#toServer.push(action.text);
          break;
        case 'message':
          this.heard.get(action.message.channel).push(action.message);
          break;
        case 'done':
        case 'failed':
          assert.ok(!this.outcomes.has(action.request), 'settled twice');
          this.outcomes.set(action.request, action);
          break;
        case 'gap':
        case 'refused':
        case 'ended':
          assert.fail(action.type);
      }
    }
  }

  get isIdle() {
    return this.#toServer.length === 0 && this.#toClient.length === 0 && this.virtual.session.state === 'online';
  }
}

function simulate(seed) {
  const random = seeded(seed);
  const world = new World(random);
  const requests = [];
  const pick = () => CHANNELS[Math.floor(random() * CHANNELS.length)];
  for (const name of CHANNELS) world.virtual.session.subscribe(channel(name));
  for (let count = 0; count < 400; count += 1) {
    const dice = random();
    if (dice < 0.15) requests.push([world.virtual.publish(pick(), `ours ${count}`), `ours ${count}`, 'publish']);
    else if (dice < 0.2) requests.push([world.virtual.broadcast(pick(), `asked ${count}`), `asked ${count}`, 'broadcast']);
    else if (dice < 0.3) world.model.publish(pick(), `theirs ${count}`);
    world.step(0.03);
  }
  for (let count = 0; count < 5000 && !(world.isIdle && world.outcomes.size === requests.length); count += 1) world.step(0);
  assert.ok(world.isIdle, 'all is carried');

  for (const [request, payload, kind] of requests) {
    const { type, error } = world.outcomes.get(request);
    const times = world.model.log.filter((message) => message.payload === payload).length;
    if (kind === 'publish') assert.deepEqual([type, times], ['done', 1], payload);
    else if (type === 'done') assert.equal(times, 1, payload);
    else assert.deepEqual([error.type, times <= 1], ['interrupted', true], payload);
  }
  for (const name of CHANNELS) {
    const positions = world.heard.get(name).map(({ position }) => position);
    const published = world.model.log.filter((message) => message.channel === name).map(({ position }) => position);
    // From the first that it heard on, it heard all of them, once, and in order.
    assert.deepEqual(positions, published.slice(published.length - positions.length));
    assert.ok(positions.length > 0);
  }
  return world.outcomes;
}

test('whenever the link breaks, publications arrive once, and what is heard has no holes', () => {
  let interrupted = 0;
  for (let seed = 1; seed <= 300; seed += 1) {
    try {
      for (const { type } of simulate(seed).values()) interrupted += type === 'failed' ? 1 : 0;
    } catch (error) {
      error.message = `seed ${seed}: ${error.message}`;
      throw error;
    }
  }
  assert.ok(interrupted > 50, 'links broke');
});
