// Keeps the newest message in view for who is reading it, and leaves alone who has scrolled back.

const NEAR_PX = 64;

export class Scroller {
  #box;
  #pill;
  #unread = 0;
  #atEnd = true;

  /** `pill` is the button that counts what came below the fold, and leads there. */
  constructor(box, content, pill) {
    this.#box = box;
    this.#pill = pill;
    box.addEventListener('scroll', () => this.#handleScroll(), { passive: true });
    pill.addEventListener('click', () => this.toEnd());
    // A keyboard that slides in, or a message that grows, must not push the end out of sight.
    const observer = new ResizeObserver(() => this.#atEnd && this.toEnd());
    observer.observe(box);
    observer.observe(content);
  }

  /** Something was added at the end; `own` is always followed. */
  added({ own }) {
    if (own || this.#atEnd) this.toEnd();
    else this.#setUnread(this.#unread + 1);
  }

  toEnd() {
    this.#box.scrollTop = this.#box.scrollHeight;
    this.#atEnd = true;
    this.#setUnread(0);
  }

  #handleScroll() {
    this.#atEnd = this.#box.scrollHeight - this.#box.scrollTop - this.#box.clientHeight < NEAR_PX;
    if (this.#atEnd) this.#setUnread(0);
  }

  #setUnread(count) {
    this.#unread = count;
    this.#pill.hidden = count === 0;
    this.#pill.textContent = count === 1 ? '1 new message' : `${count} new messages`;
  }
}
