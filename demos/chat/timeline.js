// The list of messages: in the order of positions, what is not yet acknowledged last, grouped by author and day.

import { avatar, contentNodes, isOnlyEmoji } from './content.js';
import { formatLatency } from './latency.js';
import { comparePositions } from './position.js';

const ITEMS_MAX = 500;
const GROUP_WITHIN_MS = 5 * 60_000;

const clockFormat = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
const fullFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });
const dayFormat = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
const relativeFormat = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });

function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

const startOfDay = (time) => new Date(time).setHours(0, 0, 0, 0);

function dayName(time) {
  const days = Math.round((startOfDay(time) - startOfDay(Date.now())) / 86_400_000);
  return days === 0 || days === -1 ? relativeFormat.format(days, 'day') : dayFormat.format(time);
}

/** An item is {author, own, text, time, position?, state?, latency?}; `state` and `latency` may change, then `update` it. */
export class Timeline {
  #list;
  #items = [];
  #onRetry;

  /** `onRetry` is called with the item whose retry button was pressed. */
  constructor(list, onRetry) {
    this.#list = list;
    this.#onRetry = onRetry;
  }

  get length() {
    return this.#items.length;
  }

  add(item) {
    item.element = item.notice ? this.#renderNotice(item) : this.#renderMessage(item);
    this.#place(item);
    if (this.#items.length > ITEMS_MAX) this.#remove(this.#items[0]);
    this.update(item);
  }

  /** Gives an item its position, and the place that goes with it. */
  settle(item, position) {
    if (item.position === position || !this.#items.includes(item)) return;
    const focused = item.element.contains(document.activeElement) ? document.activeElement : undefined;
    this.#remove(item);
    item.position = position;
    this.#place(item);
    focused?.focus();
  }

  /** Shows an item's `state` and `latency` as they are. */
  update(item) {
    if (item.notice) return;
    const { element: row, state, latency, problem } = item;
    row.dataset.state = state ?? 'received';
    if (item.position) row.dataset.position = item.position;
    const words = { pending: 'sending…', sent: 'sent', failed: 'not sent' };
    const took = latency === undefined ? undefined : formatLatency(latency);
    row.querySelector('.delivery').textContent = took ?? words[state] ?? '';
    row.querySelector('.delivery').title = took ? 'From sending to receiving' : '';
    const retry = row.querySelector('.retry');
    retry.hidden = state !== 'failed';
    retry.title = problem?.message ?? '';
  }

  #renderMessage(item) {
    const time = element('time', '', clockFormat.format(item.time));
    time.dateTime = new Date(item.time).toISOString();
    time.title = fullFormat.format(item.time);
    const retry = element('button', 'retry', 'Try again');
    retry.type = 'button';
    retry.dataset.testid = 'retry';
    retry.addEventListener('click', () => this.#onRetry(item));
    const delivery = element('span', 'delivery');
    delivery.dataset.testid = 'latency';
    const text = element('p', 'text', ...contentNodes(item.text));
    text.dir = 'auto';
    text.dataset.testid = 'text';
    const author = element('span', 'author', item.own ? 'You' : item.author);
    author.dir = 'auto';
    const body = element('div', 'body', text, element('span', 'meta', time, delivery, retry));
    const bubble = element('div', 'bubble', author, body);
    const row = element('li', 'message', avatar(item.author), bubble);
    row.dataset.testid = 'message';
    row.classList.toggle('own', item.own);
    row.classList.toggle('emoji', isOnlyEmoji(item.text));
    return row;
  }

  #renderNotice(item) {
    const row = element('li', 'notice', item.notice);
    row.dataset.testid = 'notice';
    return row;
  }

  #place(item) {
    let index = this.#items.length;
    while (index > 0 && this.#isAfter(this.#items[index - 1], item)) index--;
    const next = this.#items[index];
    this.#items.splice(index, 0, item);
    this.#list.insertBefore(item.element, next ? (next.separator ?? next.element) : null);
    this.#decorate(index);
    this.#decorate(index + 1);
  }

  #isAfter(item, other) {
    if (item.position && other.position) return comparePositions(item.position, other.position) > 0;
    return !item.position && Boolean(other.position);
  }

  #remove(item) {
    const index = this.#items.indexOf(item);
    this.#items.splice(index, 1);
    item.separator?.remove();
    item.separator = undefined;
    item.element.remove();
    this.#decorate(index);
  }

  /** Sets what depends on the item before: the day's separator, and whether an author's group begins. */
  #decorate(index) {
    const item = this.#items[index];
    if (!item) return;
    const previous = this.#items[index - 1];
    const newDay = !previous || startOfDay(previous.time) !== startOfDay(item.time);
    if (newDay && !item.separator) {
      item.separator = element('li', 'day', element('span', '', dayName(item.time)));
      this.#list.insertBefore(item.separator, item.element);
    } else if (!newDay && item.separator) {
      item.separator.remove();
      item.separator = undefined;
    }
    const sameAuthor = !newDay && !previous.notice && previous.author === item.author;
    const together = sameAuthor && item.time - previous.time < GROUP_WITHIN_MS;
    item.element.classList.toggle('start', !together);
  }
}
