// The same room from a shell.

import { encode } from './api.js';

const LISTENING = {
  websocket: { title: 'Listen, without a browser', query: '', flags: "-H 'Accept: application/x-ndjson'" },
  sse: { title: 'Listen: server-sent events', query: '', flags: "-H 'Accept: text/event-stream'" },
  stream: { title: 'Listen: HTTP streaming', query: '', flags: "-H 'Accept: application/x-ndjson'" },
  longpoll: { title: 'Wait for the next message', query: '?since={position}&wait=25s', flags: '' },
  poll: { title: 'Read the newest messages', query: '?limit=5', flags: '' },
};

/** The commands for a room, as {title, command}. `position` is where the long poll's begins. */
export function commands({ room, technique, position = '0' }) {
  const url = new URL(`../v1/channels/${encode(room)}`, import.meta.url).href;
  const { title, query, flags } = LISTENING[technique];
  const quoted = (suffix) => `'${url}${suffix}'`;
  const shell = (...words) => words.filter(Boolean).join(' \\\n  ');
  const say = [`-H 'Content-Type: application/json'`, `-d '{"text":"Hello from curl"}'`];
  return [
    { title: 'Say something', command: shell(`curl ${quoted('?identity=curl')}`, ...say) },
    { title, command: shell(`curl -N ${quoted(query.replace('{position}', position))}`, flags) },
    { title: 'Who is here', command: shell(`curl ${quoted('/presence')}`) },
  ];
}

async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Pages that came over plain HTTP from elsewhere have no clipboard.
  const area = document.createElement('textarea');
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand('copy');
  area.remove();
  if (!copied) throw new Error('copying is not allowed');
}

function block({ title, command }) {
  const heading = document.createElement('span');
  heading.textContent = title;
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = 'Copy';
  button.dataset.testid = 'copy';
  button.setAttribute('aria-label', `Copy the command: ${title}`);
  const code = document.createElement('code');
  code.textContent = command;
  code.tabIndex = 0;
  code.dataset.testid = 'curl';
  button.addEventListener('click', async () => {
    button.textContent = await copy(command).then(() => 'Copied', () => 'Select it');
    setTimeout(() => (button.textContent = 'Copy'), 2000);
  });
  const figure = document.createElement('div');
  figure.className = 'command';
  const head = document.createElement('div');
  head.append(heading, button);
  figure.append(head, code);
  return figure;
}

export function renderCommands(container, options) {
  container.replaceChildren(...commands(options).map(block));
}
