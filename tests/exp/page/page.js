// What the tests have the SDK do in a browser. What happens is told through `happened`, which they give the page.

const exps = [];
const listeners = [];
const responds = [];

window.sdk = {
  start(options) {
    const exp = EXP.start(options);
    const number = exps.push(exp) - 1;
    for (const event of ['online', 'offline', 'error', 'update']) exp.on(event, (value) => window.happened({ exp: number, event, value }));
    exp.getAuth().catch(() => {});
    return number;
  },
  auth: (exp) => exps[exp].getAuth(),
  refusal: (exp) => exps[exp].getAuth().then(() => 'none: it was let in', (error) => error.message),
  async listen(exp, { name, ...flags }, event) {
    const number = listeners.push(undefined) - 1;
    const hear = (payload, respond, message) => {
      const broadcast = responds.push(respond) - 1;
      window.happened({ listener: number, value: { payload, name: message.name, message, broadcast } });
    };
    const channel = exps[exp].getChannel(name, flags);
    listeners[number] = await (event === undefined ? channel.listen(hear) : channel.listen(event, hear));
    return number;
  },
  respond: (_, broadcast, payload) => responds[broadcast](payload),
  cancel: (_, listener) => listeners[listener].cancel(),
  broadcast: (exp, { name, ...flags }, event, payload, timeout) => exps[exp].getChannel(name, flags).broadcast(event, payload, timeout),
  fling: (exp, { name, ...flags }, payload, timeout) => exps[exp].getChannel(name, flags).fling(payload, timeout),
  post: (exp, path, body, query) => exps[exp].post(path, body, query),
  stop: (exp) => exps[exp].stop(),
};

/** What a promise came to, with what an error would lose on its way to the test. */
async function outcome(promise) {
  try {
    return { value: await promise };
  } catch ({ name, message, code, status }) {
    return { error: { name, message, code, status } };
  }
}
