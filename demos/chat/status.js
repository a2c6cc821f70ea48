// The line under the room's name: how the connection is, and what was missed while it was not.

const CAUGHT_UP_FOR_MS = 8000;

export class StatusLine {
  #text;
  #countdown;
  #button;
  #timer;
  #missed = 0;

  /** `retry` is called when the user does not want to wait for the next attempt. */
  constructor(text, countdown, button, retry) {
    this.#text = text;
    this.#countdown = countdown;
    this.#button = button;
    button.addEventListener('click', retry);
  }

  /** Shows a connection's `status`. */
  show({ state, technique, retryAt, problem, recovered }) {
    clearInterval(this.#timer);
    this.#countdown.textContent = '';
    document.body.dataset.connection = state;
    this.#text.dataset.state = state;
    this.#text.dataset.technique = technique;
    this.#text.title = problem?.message ?? '';
    this.#button.hidden = retryAt === undefined;
    if (state === 'live') this.#showLive(recovered);
    else if (state === 'connecting') this.#text.textContent = 'Connecting…';
    else this.#showReconnecting(retryAt, problem);
  }

  /** Counts one message that was published while there was no connection. */
  addMissed() {
    this.#missed++;
    this.#showMissed();
  }

  #showLive(recovered) {
    delete this.#text.dataset.missed;
    if (!recovered) {
      this.#text.textContent = 'Live';
      return;
    }
    this.#missed = 0;
    this.#showMissed();
  }

  #showMissed() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.#text.textContent = 'Live'), CAUGHT_UP_FOR_MS);
    this.#text.dataset.missed = this.#missed;
    this.#text.textContent = `Caught up, ${this.#missed} missed`;
  }

  // The countdown is apart from the text: that one is read out whenever it changes.
  #showReconnecting(retryAt, problem) {
    // What the server said is worth reading; that it cannot be reached is said already.
    this.#text.textContent = problem?.status ? `Reconnecting… ${problem.message}` : 'Reconnecting…';
    if (retryAt === undefined) return;
    const tick = () => {
      this.#countdown.textContent = `${Math.max(1, Math.ceil((retryAt - Date.now()) / 1000))} s`;
    };
    tick();
    this.#timer = setInterval(tick, 1000);
  }
}
