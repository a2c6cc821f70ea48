// Nothing is awaited without an end.

export const SOON_MS = 10_000;

/** The promise's value, or a failure that says what did not come. */
export function within(promise, what, ms = SOON_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${typeof what === 'function' ? what() : what} within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The arguments of the next event of that name. Call it before what brings the event about. */
export function next(emitter, event, ms = SOON_MS) {
  const listener = {};
  const came = new Promise((resolve) => {
    listener.resolve = (...values) => resolve(values);
    emitter.once(event, listener.resolve);
  });
  return within(came, `event \`${event}\``, ms).finally(() => emitter.off(event, listener.resolve));
}

/** The first argument of each of the next `count` events of that name, in the order in which they come. */
export function nextOnes(emitter, event, count, ms = SOON_MS) {
  const got = [];
  let listener;
  const all = new Promise((resolve) => {
    listener = (value) => {
      got.push(value);
      if (got.length === count) resolve(got);
    };
    emitter.on(event, listener);
  });
  return within(all, () => `${count} events \`${event}\`, but ${got.length},`, ms).finally(() => emitter.off(event, listener));
}

/** Waits for an event of that name whose first argument is that value. */
export function until(emitter, event, value, ms = SOON_MS) {
  let listener;
  const came = new Promise((resolve) => {
    listener = (got) => got === value && resolve();
    emitter.on(event, listener);
  });
  return within(came, `event \`${event}\` with ${value}`, ms).finally(() => emitter.off(event, listener));
}

/** All arguments of each event of that name from here on, in a list that grows. */
export function record(emitter, event) {
  const got = [];
  emitter.on(event, (...values) => got.push(values));
  return got;
}

/** What the other side acknowledges, as a list. */
export function ask(socket, event, ...values) {
  const answered = new Promise((resolve) => socket.emit(event, ...values, (...answers) => resolve(answers)));
  return within(answered, `acknowledgement of \`${event}\``);
}
