// What a message says, whoever published it: this page, a shell, or another protocol.

const LINK = /\bhttps?:\/\/[^\s<>"]+[^\s<>"'.,;:!?)\]}]/giu;
const ONLY_EMOJI = /^(?:\p{Extended_Pictographic}[\p{Emoji_Modifier}\u200d\ufe0f\u20e3]*\s*){1,6}$/u;

/** The text to show for a payload. */
export function textOf({ payload, encoding }) {
  if (encoding === 'base64') return `Binary, ${Math.floor((payload.length * 3) / 4)} bytes`;
  if (typeof payload === 'string') return payload;
  if (typeof payload?.text === 'string') return payload.text;
  return JSON.stringify(payload);
}

export const isOnlyEmoji = (text) => text.length <= 40 && ONLY_EMOJI.test(text.trim());

/** Text as nodes, with its links clickable; nothing in it is ever markup. */
export function contentNodes(text) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    nodes.push(text.slice(end, match.index));
    const link = document.createElement('a');
    link.href = match[0];
    link.textContent = match[0];
    link.target = '_blank';
    link.rel = 'noopener noreferrer nofollow';
    nodes.push(link);
    end = match.index + match[0].length;
  }
  nodes.push(text.slice(end));
  return nodes;
}

/** A hue that is always the same for a name. */
export function hueOf(name) {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)) >>> 0;
  return (hash * 137) % 360;
}

/** A round badge with a name's initials. */
export function avatar(name) {
  const badge = document.createElement('span');
  badge.className = 'avatar';
  badge.setAttribute('aria-hidden', 'true');
  badge.style.setProperty('--hue', hueOf(name));
  const words = name.trim().split(/\s+/u);
  const initials = words.length > 1 ? [words[0], words.at(-1)] : words;
  badge.textContent = initials.map((word) => firstLetter(word)).join('').toLocaleUpperCase();
  return badge;
}

// A letter as a reader sees it may be several code points.
function firstLetter(word) {
  const [first] = new Intl.Segmenter().segment(word);
  return first?.segment ?? '?';
}
