// Who the user is, which room this is, and by which technique: from the address, else as remembered.

const NAME_KEY = 'antiphon.chat.name';
const TECHNIQUE_KEY = 'antiphon.chat.technique';
const ROOM_DEFAULT = 'lobby';
const GUESTS = ['Alto', 'Bass', 'Cantor', 'Descant', 'Echo', 'Soprano', 'Tenor', 'Treble'];

/** A name as the server can take it: no control characters, no halves of characters, not too long. */
export function cleanName(text, charactersMax) {
  const clean = text.normalize('NFC').toWellFormed().replace(/\p{Cc}/gu, '').trim();
  return [...clean].slice(0, charactersMax).join('').trim();
}

/** A room's name; the two that mean something else in a path are taken for none. */
export function cleanRoom(text) {
  const room = cleanName(text, 64);
  return room === '' || room === '.' || room === '..' ? ROOM_DEFAULT : room;
}

// Storage may be forbidden; then nothing is remembered.
function recall(storage, key) {
  try {
    return storage().getItem(key) ?? '';
  } catch {
    return '';
  }
}

function remember(storage, key, value) {
  try {
    storage().setItem(key, value);
  } catch {
    // As above.
  }
}

/** What is known without asking; `name` is empty when it must be asked for. */
export function readProfile() {
  const query = new URLSearchParams(location.search);
  return {
    room: cleanRoom(query.get('room') ?? ''),
    name: cleanName(query.get('name') ?? recall(() => localStorage, NAME_KEY), 40),
    technique: recall(() => sessionStorage, TECHNIQUE_KEY),
  };
}

export const rememberName = (name) => remember(() => localStorage, NAME_KEY, name);

export const rememberTechnique = (technique) => remember(() => sessionStorage, TECHNIQUE_KEY, technique);

/** The page's address for a room, as `name` if that is given. */
export function addressOf(room, name) {
  const url = new URL(location.href);
  url.search = '';
  url.hash = '';
  url.searchParams.set('room', room);
  if (name) url.searchParams.set('name', name);
  return url.href;
}

export function guestName() {
  const guest = GUESTS[Math.floor(Math.random() * GUESTS.length)];
  return `${guest} ${Math.floor(Math.random() * 90) + 10}`;
}
