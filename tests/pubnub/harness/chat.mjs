// The chat SDK: its users, and what its callbacks are told, kept until it is asked for.

import { createRequire } from 'node:module';
import { Mailbox } from '../../exp/harness/mailbox.mjs';
import { within } from '../../clients/harness/deadline.mjs';

const require = createRequire(import.meta.url);
const { Chat, INTERNAL_ADMIN_CHANNEL, MESSAGE_THREAD_ID_PREFIX } = require('@pubnub/chat');
export { INTERNAL_ADMIN_CHANNEL, MESSAGE_THREAD_ID_PREFIX };

/** How long someone counts as typing. */
export const TYPING_MS = 1500;

/** Someone who chats, until the test is over. */
export async function enter(t, place, way, userId, options = {}) {
  const { publishKey, subscribeKey, secretKey } = way.keyset;
  const credentials = way.token ? { authKey: await place.token(t, way.keyset) } : way.secret ? { secretKey } : {};
  const keys = { publishKey, subscribeKey, origin: place.server.host, ssl: false };
  const chat = await within(Chat.init({ ...keys, ...credentials, userId, typingTimeout: TYPING_MS, ...options }), `chat of ${userId}`);
  t.after(() => {
    chat.sdk.removeAllListeners();
    chat.sdk.disconnect();
  });
  return chat;
}

/**
 * Has something subscribe, and waits until the SDK says that it has. `listen` is given a callback, and gives what ends it; it subscribes to
 * a channel that nothing else of this chat listens to.
 */
export async function listening(chat, what, listen) {
  const mailbox = new Mailbox(what);
  let status;
  const connected = new Promise((resolve) => (status = { status: ({ category }) => category === 'PNConnectedCategory' && resolve() }));
  chat.sdk.addListener(status);
  const ended = await listen((value) => mailbox.put(value));
  await within(connected, `subscription for ${what}`);
  chat.sdk.removeListener(status);
  mailbox.ended = ended;
  return mailbox;
}

/** The same of something that listens to what is listened to already, which is told nowhere. */
export async function alsoListening(what, listen) {
  const mailbox = new Mailbox(what);
  mailbox.ended = await listen((value) => mailbox.put(value));
  return mailbox;
}

/** The first that is as it has to be. */
export async function until(mailbox, is) {
  for (;;) {
    const value = await mailbox.next();
    if (is(value)) return value;
  }
}
