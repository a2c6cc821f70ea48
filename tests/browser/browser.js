// A browser, and pages of the chat as the tests drive them.

import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { chromium } from 'playwright-core';

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-quic',
  '--no-first-run',
  '--disable-component-update',
  '--disable-sync',
];

export const DESKTOP = { viewport: { width: 1280, height: 800 } };
export const PHONE = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };

export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ARGS });
}

/** One user's chat page, in a browser profile of its own. */
export class ChatPage {
  /** What went wrong on the page: errors it logged or threw, and what its content security policy stopped. */
  errors = [];
  violations = [];

  static async open(browser, options) {
    const context = await browser.newContext(options);
    const chat = new ChatPage();
    chat.context = context;
    chat.page = await context.newPage();
    await chat.page.exposeFunction('reportViolation', (what) => chat.violations.push(what));
    await chat.page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        window.reportViolation(`${event.violatedDirective}: ${event.blockedURI}`);
      });
    });
    chat.page.on('pageerror', (error) => chat.errors.push(error.stack));
    chat.page.on('console', (message) => {
      if (message.type() === 'error') chat.errors.push(message.text());
    });
    return chat;
  }

  /** Opens the room and answers the question for a name. */
  async join(url, room, name) {
    this.name = name;
    await this.page.goto(`${url}/?room=${encodeURIComponent(room)}`);
    await this.page.getByTestId('name').fill(name);
    await this.page.getByTestId('join-submit').click();
    await this.live();
  }

  /** Waits until the page says that it is connected, by `technique` if one is given. */
  async live(technique) {
    const by = technique ? `[data-technique="${technique}"]` : '';
    await this.page.locator(`[data-testid="status"][data-state="live"]${by}`).waitFor();
  }

  async reconnecting() {
    await this.page.locator('[data-testid="status"][data-state="reconnecting"]').waitFor();
  }

  /** Picks a technique, without waiting for it. */
  async choose(technique) {
    await this.page.getByTestId(`technique-${technique}`).check({ force: true });
  }

  async use(technique) {
    await this.choose(technique);
    await this.live(technique);
  }

  /**
   * Holds what the page asks the server for until the function that it answers is called. A page that is between two
   * techniques waits there: each of them begins, or the one before ends, with a request.
   */
  async holdRequests() {
    let release;
    const released = new Promise((resolve) => (release = resolve));
    const hold = async (route) => {
      await released;
      // Given up by the page in the meantime, as a technique that ended does with what it still had to ask.
      await route.fallback().catch(() => {});
    };
    await this.page.route(/\/v1\//, hold);
    return async () => {
      release();
      await this.page.unroute(/\/v1\//, hold);
    };
  }

  async say(text) {
    await this.page.getByTestId('composer').fill(text);
    await this.page.getByTestId('send').click();
  }

  message(text) {
    return this.page.getByTestId('message').filter({ has: this.page.getByTestId('text').getByText(text, { exact: true }) });
  }

  /** Waits for the message, in `state` if one is given. */
  async hears(text, state) {
    const message = state ? this.message(text).and(this.page.locator(`[data-state="${state}"]`)) : this.message(text);
    await message.first().waitFor();
  }

  /** All messages' texts, from the top. */
  texts() {
    return this.page.getByTestId('text').allTextContents();
  }

  /** Drops the errors that the test brought about. */
  forgetErrors(expected) {
    this.errors = this.errors.filter((error) => !expected.test(error));
  }

  person(name) {
    return this.page.locator(`[data-testid="person"][data-identity="${name}"]`);
  }

  /** Saves a picture to the directory that SCREENSHOTS names, if it does. */
  async screenshot(name) {
    const directory = process.env.SCREENSHOTS;
    if (!directory) return;
    await mkdir(directory, { recursive: true });
    for (const colorScheme of ['light', 'dark']) {
      await this.page.emulateMedia({ colorScheme });
      await this.page.screenshot({ path: path.join(directory, `${name}-${colorScheme}.png`) });
    }
    await this.page.emulateMedia({ colorScheme: 'light' });
  }
}
