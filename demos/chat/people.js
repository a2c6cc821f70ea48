// The lists of who is here and who is typing, as the page shows them.

import { avatar } from './content.js';
import { TECHNIQUES } from './transports.js';

const SHOWN_MAX = 100;
const STACKED_MAX = 3;
const GOODBYE_AFTER_MS = 2500;

function row({ identity, state }, own, typing) {
  const name = document.createElement('span');
  name.className = 'name';
  name.dir = 'auto';
  name.textContent = identity;
  const via = document.createElement('span');
  via.className = 'via';
  via.textContent = typing ? 'typing…' : (TECHNIQUES.get(state?.via)?.label ?? '');
  const item = document.createElement('li');
  item.dataset.testid = 'person';
  item.dataset.identity = identity;
  item.append(avatar(identity), name);
  if (own) {
    const you = document.createElement('span');
    you.className = 'you';
    you.textContent = 'you';
    item.append(you);
  }
  item.append(via);
  return item;
}

/** Shows `members` in `list`, oneself first; `stack` gets a few of the badges, `counts` the number. */
export function renderPeople({ list, stack, counts }, members, self, typing) {
  const collate = new Intl.Collator().compare;
  const order = (a, b) => (b.identity === self) - (a.identity === self) || collate(a.identity, b.identity);
  const sorted = members.list.toSorted(order);
  const rowOf = (member) => row(member, member.identity === self, typing.has(member.identity));
  const rows = sorted.slice(0, SHOWN_MAX).map(rowOf);
  if (members.occupancy > rows.length) {
    const more = document.createElement('li');
    more.className = 'more';
    more.textContent = `and ${members.occupancy - rows.length} more`;
    rows.push(more);
  }
  list.replaceChildren(...rows);
  stack.replaceChildren(...sorted.slice(0, STACKED_MAX).map(({ identity }) => avatar(identity)));
  for (const count of counts) count.textContent = members.occupancy;
}

/** Who is typing, in words. */
export function typingText(names) {
  if (names.length === 0) return '';
  if (names.length > 3) return 'Several people are typing…';
  const list = new Intl.ListFormat('en').format(names);
  return `${list} ${names.length === 1 ? 'is' : 'are'} typing…`;
}

/** Says who came and went, but not of whom is back at once: somebody who reloads or changes technique. */
export class Announcer {
  #region;
  #leaving = new Map();

  constructor(region) {
    this.#region = region;
  }

  handleEvent({ name, payload: { identity } }) {
    const wasLeaving = this.#leaving.get(identity);
    clearTimeout(wasLeaving);
    this.#leaving.delete(identity);
    if (name === 'join' && wasLeaving === undefined) this.#region.textContent = `${identity} joined`;
    if (name !== 'leave' && name !== 'timeout') return;
    const timer = setTimeout(() => {
      this.#leaving.delete(identity);
      this.#region.textContent = `${identity} left`;
    }, GOODBYE_AFTER_MS);
    this.#leaving.set(identity, timer);
  }
}
