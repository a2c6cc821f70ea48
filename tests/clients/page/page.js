// What a client makes of the server in a browser: a row for each check, a column for each way to connect.
//
// ?server=URL&client=URL_OF_ITS_BUNDLE&name=NAME&ways=polling,websocket,upgrade,jsonp

const SOON_MS = 10_000;
const BURST = 300;

const WAYS = {
  polling: { options: { transports: ['polling'] }, ends: 'polling' },
  websocket: { options: { transports: ['websocket'] }, ends: 'websocket' },
  upgrade: { options: { transports: ['polling', 'websocket'] }, ends: 'websocket' },
  jsonp: { options: { transports: ['polling'], forceJSONP: true }, ends: 'polling' },
};

const CHECKS = {
  async connects({ socket, way }) {
    same(socket.io.engine.transport.name, way.ends);
    const [me] = await ask(socket, 'who am i');
    same(me.transport, way.ends);
  },
  async echoes({ socket }) {
    await echoed(socket, 1, -0.5, true, null, 'text', { list: [1, [2]] });
  },
  async 'echoes Unicode'({ socket }) {
    await echoed(socket, 'Grüße, мир, 日本語', '𝄞 👩‍👩‍👧', 'quotes " \' \\ </script> \u2028', 'line\nbreak \\n');
  },
  async 'echoes bytes'({ socket }) {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    await echoed(socket, bytes.buffer, { deep: [{ down: bytes.buffer }] }, new ArrayBuffer(0), new Uint8Array(100_000).buffer);
  },
  async 'takes a Blob for bytes'({ socket }) {
    const echo = next(socket, 'echo');
    socket.emit('echo', new Blob(['file']));
    same(new TextDecoder().decode((await echo)[0]), 'file');
  },
  async 'gets acknowledgements'({ socket }) {
    same(await ask(socket, 'answer', 1, { two: '🎶' }), [1, { two: '🎶' }]);
  },
  async acknowledges({ socket }) {
    const answered = next(socket, 'answered');
    socket.once('question', (asked, ack) => ack(asked, 'yes'));
    socket.emit('ask me', 5000, 'well?');
    same(await answered, [null, 'well?', 'yes']);
  },
  async 'hears what others say'({ socket, other }) {
    await ask(socket, 'join', 'tea ☕');
    const said = next(socket, 'said');
    other.emit('say', 'tea ☕', 'Grüße 🎶', { n: 1 });
    same(await said, ['Grüße 🎶', { n: 1 }]);
  },
  async [`keeps the order of ${BURST}`]({ socket }) {
    const got = [];
    const all = new Promise((resolve) => {
      socket.on('echo', (number) => got.push(number) === BURST && resolve());
    });
    for (let i = 0; i < BURST; i++) socket.emit('echo', i);
    await within(all, `all of the burst, but ${got.length}`);
    same(got, [...got.keys()]);
    socket.off('echo');
  },
  async 'is told that it may not enter'({ open }) {
    const [told] = await next(open('/members'), ['error', 'connect_error']);
    same(told.message ?? 'not a member', 'not a member');
    same((told.data ?? told).hint, 'ask for a token');
  },
  async 'is sent away'({ socket }) {
    const gone = next(socket, 'disconnect');
    socket.emit('bye', 'namespace');
    same((await gone)[0], 'io server disconnect');
  },
};

const query = new URLSearchParams(location.search);
const results = { passed: 0, failed: [] };

run().finally(() => {
  results.over = true;
  document.body.dataset.state = results.failed.length === 0 ? 'passed' : 'failed';
  window.results = results;
});

async function run() {
  await loaded(query.get('client'));
  const ways = query.get('ways').split(',');
  document.querySelector('#about').textContent = `${query.get('name')} with ${navigator.userAgent.match(/Chrom\w+\/\d+/)}`;
  document.querySelector('thead').append(row('th', '', ...ways));
  const cells = Object.fromEntries(ways.map((way) => [way, {}]));
  for (const check of Object.keys(CHECKS)) {
    const line = row('td', check, ...ways.map(() => '…'));
    ways.forEach((way, i) => (cells[way][check] = line.children[i + 1]));
    document.querySelector('tbody').append(line);
  }
  for (const way of ways) await runWay(way, cells[way]);
}

async function runWay(name, cells) {
  const way = WAYS[name];
  const sockets = [];
  const open = (namespace, options = way.options) => {
    const socket = io(query.get('server') + namespace, { forceNew: true, reconnection: false, ...options });
    sockets.push(socket);
    return socket;
  };
  const socket = open('');
  const upgraded = name === 'upgrade' && next(socket.io.engine, 'upgrade');
  // It is awaited below, unless something else fails before.
  if (upgraded) upgraded.catch(() => {});
  const context = { socket, way, open };
  for (const [check, runs] of Object.entries(CHECKS)) {
    const begun = performance.now();
    try {
      if (check === 'connects') {
        await next(socket, 'connect');
        await upgraded;
        context.other = open('', WAYS.websocket.options);
        await next(context.other, 'connect');
      }
      await runs(context);
      results.passed += 1;
      cells[check].className = 'passed';
      cells[check].textContent = `${(performance.now() - begun).toFixed(1)} ms`;
    } catch (error) {
      results.failed.push(`${name}: ${check}: ${error.message}`);
      cells[check].className = 'failed';
      cells[check].textContent = error.message;
      // Nothing else can work then, and all of it would take its time.
      if (check === 'connects') break;
    }
  }
  for (const each of sockets) each.disconnect();
}

function loaded(url) {
  return new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = url;
    script.onload = resolve;
    script.onerror = () => reject(results.failed.push(`${url} does not load`));
    document.head.append(script);
  });
}

function row(tag, ...texts) {
  const line = document.createElement('tr');
  for (const text of texts) line.append(Object.assign(document.createElement(tag), { textContent: text }));
  return line;
}

function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`no ${what}`)), SOON_MS)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function next(emitter, events) {
  const came = new Promise((resolve) => {
    for (const event of [events].flat()) emitter.once(event, (...values) => resolve(values));
  });
  return within(came, `event ${events}`);
}

function ask(socket, event, ...values) {
  return within(new Promise((resolve) => socket.emit(event, ...values, (...answers) => resolve(answers))), 'answer');
}

async function echoed(socket, ...values) {
  const echo = next(socket, 'echo');
  socket.emit('echo', ...values);
  same(await echo, values);
}

function same(got, expected) {
  const shown = (value) => JSON.stringify(value, (_, inner) => (inner instanceof ArrayBuffer ? [...new Uint8Array(inner)] : inner));
  if (shown(got) !== shown(expected)) throw new Error(`${shown(got).slice(0, 200)} in place of ${shown(expected).slice(0, 200)}`);
}
