// The page: joins what the user does, what the connection tells and what is shown.

import { RoomApi } from './api.js';
import { wallClock } from './clock.js';
import { Connection } from './connection.js';
import { textOf } from './content.js';
import { renderCommands } from './curl.js';
import { Outbox } from './outbox.js';
import { Announcer, renderPeople, typingText } from './people.js';
import { positionTime } from './position.js';
import { Members, Typing, TypingSignal } from './presence.js';
import { addressOf, cleanName, cleanRoom, guestName, readProfile, rememberName, rememberTechnique } from './profile.js';
import { Scroller } from './scroller.js';
import { StatusLine } from './status.js';
import { TechniquePicker } from './techniques.js';
import { Timeline } from './timeline.js';
import { TECHNIQUES } from './transports.js';

const byId = (id) => document.getElementById(id);
const profile = readProfile();
byId('room').textContent = `#${profile.room}`;

if (profile.name) start(profile);
else askProfile();
byId('room').addEventListener('click', askProfile);

/** Asks for name and room; answering leads to that room's page. */
function askProfile() {
  const dialog = byId('join');
  byId('name').value = profile.name;
  byId('room-name').value = profile.room;
  dialog.oncancel = (event) => profile.name || event.preventDefault();
  byId('join-form').onsubmit = (event) => {
    event.preventDefault();
    const name = cleanName(byId('name').value, 40);
    if (!name) return;
    rememberName(name);
    location.assign(addressOf(cleanRoom(byId('room-name').value)));
  };
  byId('join-cancel').hidden = !profile.name;
  byId('join-cancel').onclick = () => dialog.close();
  if (!dialog.open) dialog.showModal();
}

function start({ room, name, technique: remembered }) {
  const technique = TECHNIQUES.has(remembered) ? remembered : 'websocket';
  document.title = `#${room} · Antiphon chat`;
  const api = new RoomApi(room, name);
  const connection = new Connection(api, technique);
  const outbox = new Outbox((publication) => connection.publish(publication));
  const sending = new Map();

  const timeline = new Timeline(byId('timeline'), (item) => outbox.retry(item.entry));
  const scroller = new Scroller(byId('scroll'), byId('timeline'), byId('pill'));
  const status = new StatusLine(byId('status'), byId('countdown'), byId('retry-now'), () => connection.connect());
  const announcer = new Announcer(byId('announcer'));
  const peopleViews = { list: byId('people'), stack: byId('stack'), counts: document.querySelectorAll('[data-count]') };
  const showPeople = () => renderPeople(peopleViews, members, name, new Set(typing.list));
  const members = new Members(() => connection.presence(), showPeople);
  const typing = new Typing(() => {
    byId('typing').textContent = typingText(typing.list);
    showPeople();
  });
  const typingSignal = new TypingSignal((signal) => connection.publish(signal));

  const showCommands = () => {
    const { technique, position } = connection;
    renderCommands(byId('commands'), { room, technique, position });
  };
  const picker = new TechniquePicker(byId('techniques'), technique, (chosen) => {
    rememberTechnique(chosen);
    connection.use(chosen);
    showCommands();
  });
  showCommands();
  const invite = () => (byId('invite').href = addressOf(room, guestName()));
  invite();
  // The next window is yet another guest's; this one has its address once the click is over.
  byId('invite').addEventListener('click', () => setTimeout(invite));

  connection.addEventListener('status', ({ detail }) => {
    status.show(detail);
    if (detail.state !== 'live') return;
    outbox.wake();
    members.refresh();
  });
  connection.addEventListener('history', ({ detail: { messages } }) => {
    for (const message of messages) receive({ message });
    showCommands();
    byId('timeline').removeAttribute('aria-busy');
    byId('empty').hidden = timeline.length > 0;
    scroller.toEnd();
  });
  connection.addEventListener('message', ({ detail }) => handleMessage(detail));
  connection.addEventListener('gap', ({ detail: { after } }) => {
    timeline.add({ notice: 'Some messages are no longer kept.', position: after, time: positionTime(after) });
  });
  outbox.addEventListener('change', ({ detail: entry }) => showDelivery(entry));

  function handleMessage({ message, live, missed }) {
    if (message.kind === 'presence') {
      members.handleEvent(message);
      announcer.handleEvent(message);
      if (message.name !== 'join' && message.name !== 'state') typing.stop(message.payload.identity);
    } else if (message.name === 'typing') {
      handleTyping(message, live);
    } else if (message.name === 'message' && message.kind !== 'signal') {
      receive({ message, live, missed });
    }
  }

  function handleTyping({ publisher, payload }, live) {
    // What was typed before this page came, nobody types any more.
    if (!live || !publisher || publisher === name) return;
    if (payload?.typing === false) typing.stop(publisher);
    else typing.start(publisher);
  }

  function receive({ message, live = false, missed = false }) {
    const item = sending.get(message.payload?.id);
    const own = message.publisher === name;
    if (item && own) {
      sending.delete(message.payload.id);
      receiveOwn(item, message, live);
      return;
    }
    const latency = live ? latencyOf(message.payload?.sent) : undefined;
    if (latency !== undefined) picker.addSample(connection.technique, latency);
    if (missed && !own) status.addMissed();
    typing.stop(message.publisher);
    const { position, publisher: author = 'anonymous' } = message;
    timeline.add({ author, own, text: textOf(message), time: positionTime(position), position, latency });
    byId('empty').hidden = true;
    scroller.added({ own });
  }

  function receiveOwn(item, { position }, live) {
    // After a repeated attempt nobody knows which one is coming back.
    if (live && item.entry.attempts === 1) {
      item.latency = performance.now() - item.entry.sentAt;
      picker.addSample(connection.technique, item.latency);
    }
    item.state = 'sent';
    timeline.settle(item, position);
    timeline.update(item);
  }

  function latencyOf(sent) {
    const took = wallClock() - sent;
    // Not a number, or another machine's clock that is ahead: no honest figure.
    return took >= 0 ? took : undefined;
  }

  function send(text) {
    const id = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
    const item = { author: name, own: true, text, time: Date.now(), state: 'pending' };
    sending.set(id, item);
    timeline.add(item);
    byId('empty').hidden = true;
    scroller.added({ own: true });
    typingSignal.sent();
    item.entry = outbox.add(id, { text, sent: wallClock(), id });
    showDelivery(item.entry);
  }

  function showDelivery(entry) {
    const item = sending.get(entry.key);
    if (!item) return;
    item.state = entry.state;
    item.problem = entry.problem;
    if (entry.position) timeline.settle(item, entry.position);
    timeline.update(item);
  }

  listenToComposer(send, typingSignal);
  listenToBrowser(connection);
  connection.connect();
}

function listenToComposer(send, typingSignal) {
  const form = byId('composer');
  const text = byId('text');
  // On a touch keyboard there is no other way to begin a new line.
  const enterSends = !matchMedia('(pointer: coarse)').matches;
  const fit = () => {
    text.style.height = 'auto';
    text.style.height = `${text.scrollHeight + text.offsetHeight - text.clientHeight}px`;
  };
  text.addEventListener('input', () => {
    fit();
    typingSignal.set(text.value.trim() !== '');
  });
  text.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || !enterSends) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const words = text.value.toWellFormed().trim();
    if (words === '') return;
    send(words);
    text.value = '';
    fit();
    text.focus();
  });
  if (enterSends) text.focus();
}

/** A page that is put away leaves the room, and comes back when it is shown again. */
function listenToBrowser(connection) {
  addEventListener('pagehide', () => connection.stop());
  addEventListener('pageshow', (event) => event.persisted && connection.connect());
  addEventListener('online', () => connection.connect());
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible' && connection.state === 'reconnecting') connection.connect();
  });
}
