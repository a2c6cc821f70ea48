// Two users in the demo chat: every technique, presence, typing, and a server that is killed under them.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ChatPage, DESKTOP, launch, PHONE } from './browser.js';
import { Server } from './server.js';

const TECHNIQUES = ['sse', 'stream', 'longpoll', 'poll', 'websocket'];
const FAILED_CONNECTION = /net::ERR_|WebSocket connection to .* failed/;
const room = `choir ${Date.now()} 🎶`;

let server;
let browser;
let ada;
let bo;
// What was said, in the order in which each had been heard by both before the next.
const said = [];

before(async () => {
  server = await Server.start();
  browser = await launch();
  ada = await ChatPage.open(browser, DESKTOP);
  bo = await ChatPage.open(browser, PHONE);
  await ada.join(server.url, room, 'Ada');
  await bo.join(server.url, room, 'Bo');
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

async function converse(from, to, text) {
  await from.say(text);
  said.push(text);
  await Promise.all([from.hears(text, 'sent'), to.hears(text, 'received')]);
}

async function assertBothHeardAll() {
  assert.deepEqual(await ada.texts(), said);
  assert.deepEqual(await bo.texts(), said);
}

function assertNoErrors() {
  for (const { errors, violations } of [ada, bo]) {
    assert.deepEqual(violations, []);
    assert.deepEqual(errors, []);
  }
}

test('both see who is here', async () => {
  for (const chat of [ada, bo]) {
    await chat.person('Ada').waitFor({ state: 'attached' });
    await chat.person('Bo').waitFor({ state: 'attached' });
    assert.equal(await chat.page.getByTestId('occupancy').textContent(), '2');
  }
});

test('both directions arrive once and in order by every technique', async () => {
  await converse(ada, bo, 'websocket: call');
  await converse(bo, ada, 'websocket: response');
  for (const technique of TECHNIQUES) {
    const between = `${technique}: while Bo switches`;
    const release = await bo.holdRequests();
    await bo.choose(technique);
    await ada.say(between);
    said.push(between);
    await ada.hears(between, 'sent');
    await release();
    await bo.live(technique);
    await bo.hears(between, 'received');
    await converse(ada, bo, `${technique}: call`);
    await converse(bo, ada, `${technique}: response`);
    await assertBothHeardAll();
  }
  assertNoErrors();
});

test('messages in a row keep their order', async () => {
  await bo.use('poll');
  const lines = Array.from({ length: 20 }, (_, i) => `line ${i}`);
  for (const line of lines) await ada.say(line);
  said.push(...lines);
  await Promise.all([ada.hears('line 19', 'sent'), bo.hears('line 19', 'received')]);
  await assertBothHeardAll();
});

for (const technique of ['websocket', ...TECHNIQUES.slice(0, -1)]) {
  test(`typing is seen, and is over with the message, by ${technique}`, async () => {
    await bo.use(technique);
    await bo.page.getByTestId('composer').pressSequentially('hm');
    await ada.page.getByTestId('typing').filter({ hasText: 'Bo is typing…' }).waitFor();
    await converse(bo, ada, `${technique}: typed`);
    await ada.page.getByTestId('typing').filter({ hasText: /^$/ }).waitFor({ state: 'attached' });

    await ada.page.getByTestId('composer').pressSequentially('hm');
    await bo.page.getByTestId('typing').filter({ hasText: 'Ada is typing…' }).waitFor();
    await converse(ada, bo, `${technique}: typed back`);
    assertNoErrors();
  });
}

test('who leaves is gone from the list, by streaming and by polling', async () => {
  for (const technique of ['websocket', 'poll']) {
    const cy = await ChatPage.open(browser, DESKTOP);
    await cy.join(server.url, room, 'Cy');
    if (technique !== 'websocket') await cy.use(technique);
    await ada.person('Cy').waitFor();
    await cy.page.goto('about:blank');
    await ada.person('Cy').waitFor({ state: 'detached' });
    await cy.context.close();
  }
});

test('text stays text', async () => {
  await converse(ada, bo, '<img src=x onerror="document.title=1"><b>bold</b> مرحبا 👩‍👩‍👧');
  await converse(bo, ada, 'long'.repeat(200));
  assert.equal(await bo.page.locator('.timeline img, .timeline b').count(), 0);
  const [width, viewport] = await bo.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(width <= viewport, `the page is ${width} wide in a window of ${viewport}`);
  assertNoErrors();
});

test('who has scrolled back is not moved, but told', async () => {
  const scroll = bo.page.locator('#scroll');
  await scroll.evaluate((box) => {
    const scrolled = new Promise((resolve) => box.addEventListener('scroll', resolve, { once: true }));
    box.scrollTop = 0;
    return scrolled;
  });
  await converse(ada, bo, 'below the fold');
  const pill = bo.page.getByTestId('new-messages');
  await pill.filter({ hasText: '1 new message' }).waitFor();
  assert.equal(await scroll.evaluate((box) => box.scrollTop), 0);
  await pill.click();
  await pill.waitFor({ state: 'hidden' });
  assert.ok(await scroll.evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight < 64));
});

test('a message whose acknowledgement is lost is sent again, and counts once', async () => {
  await bo.use('sse');
  const keys = [];
  await bo.page.route(/\/v1\/channels\//, async (route) => {
    const request = route.request();
    const key = request.headers()['idempotency-key'];
    if (!key) return route.fallback();
    keys.push(key);
    if (keys.length > 1) return route.fallback();
    await route.fetch();
    return route.abort('connectionreset');
  });
  await converse(bo, ada, 'acknowledged twice');
  // It may be back before it is sent again; what is sent next comes after that.
  await converse(bo, ada, 'and on');
  await bo.page.unroute(/\/v1\/channels\//);
  assert.equal(keys.length, 3);
  assert.equal(keys[0], keys[1]);
  assert.notEqual(keys[1], keys[2]);
  await assertBothHeardAll();
  bo.forgetErrors(FAILED_CONNECTION);
  assertNoErrors();
});

test('a refused message can be sent again by hand', async () => {
  await bo.page.route(/\/v1\/channels\/.*name=message/, (route) => {
    const body = JSON.stringify({ title: 'Forbidden', status: 403, detail: 'not now' });
    return route.fulfill({ status: 403, contentType: 'application/problem+json', body });
  });
  await bo.say('refused');
  await bo.hears('refused', 'failed');
  await bo.page.unroute(/\/v1\/channels\/.*name=message/);
  assert.equal(await ada.message('refused').count(), 0);
  await bo.message('refused').getByTestId('retry').click();
  said.push('refused');
  await Promise.all([bo.hears('refused', 'sent'), ada.hears('refused', 'received')]);
  await converse(ada, bo, 'accepted');
  await assertBothHeardAll();
  bo.forgetErrors(/status of 403/);
  assertNoErrors();
});

test('a newcomer gets the newest messages', async () => {
  const late = await ChatPage.open(browser, DESKTOP);
  await late.join(server.url, room, 'Late');
  const history = said.slice(-50);
  await late.hears(history.at(-1));
  assert.deepEqual(await late.texts(), history);
  assert.deepEqual(late.errors, []);
  await late.context.close();
});

test('pictures are taken', { skip: !process.env.SCREENSHOTS }, async () => {
  await ada.screenshot('desktop');
  await bo.screenshot('phone');
});

for (const technique of ['websocket', 'sse', 'stream', 'longpoll', 'poll']) {
  test(`a killed server costs nothing, by ${technique}`, async (t) => {
    if (!server.killable) {
      t.skip('the server is not ours to kill');
      return;
    }
    await bo.use(technique);
    await converse(ada, bo, `${technique}: before the kill`);
    assertNoErrors();
    await server.kill();
    await Promise.all([ada.reconnecting(), bo.reconnecting()]);
    const meanwhile = `${technique}: while it was down`;
    await bo.say(meanwhile);
    said.push(meanwhile);
    await bo.hears(meanwhile, 'pending');
    await server.restart();
    await Promise.all([ada.live(), bo.live(technique)]);
    await Promise.all([bo.hears(meanwhile, 'sent'), ada.hears(meanwhile, 'received')]);
    await converse(ada, bo, `${technique}: after the kill`);
    await converse(bo, ada, `${technique}: and back`);
    await assertBothHeardAll();
    for (const chat of [ada, bo]) {
      await chat.person('Ada').waitFor({ state: 'attached' });
      await chat.person('Bo').waitFor({ state: 'attached' });
      chat.forgetErrors(FAILED_CONNECTION);
    }
    assertNoErrors();
  });
}

for (const technique of TECHNIQUES) {
  test(`who was away is told how much was missed, by ${technique}`, async (t) => {
    if (!server.killable) {
      t.skip('the server is not ours to kill');
      return;
    }
    await bo.use(technique);
    await server.kill();
    await Promise.all([ada.reconnecting(), bo.reconnecting()]);
    await bo.context.setOffline(true);
    await server.restart();
    await ada.live();
    for (const text of [`${technique}: missed`, `${technique}: missed, too`]) {
      await ada.say(text);
      said.push(text);
      await ada.hears(text, 'sent');
    }
    await bo.context.setOffline(false);
    await bo.page.locator('[data-testid="status"][data-missed="2"]').waitFor();
    await assertBothHeardAll();
  });
}
