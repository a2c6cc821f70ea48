// A chat page with the SDK's bundle, two of it talking in Chromium: what a page needs that says nothing but the keys and where the server is.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { chromium } from 'playwright-core';
import { Server } from '../../standalone/harness/server.mjs';

const require = createRequire(import.meta.url);
const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run', '--disable-component-update'];

const page = (origin) => `<!doctype html>
<title>Chat</title>
<script src="/pubnub.js"></script>
<form id="form"><input id="text" name="text"><input type="submit" value="Send"></form>
<div id="messages"></div>
<script>
  var pubnub = new PubNub({ publishKey: 'demo', subscribeKey: 'demo', userId: '' + Math.random(), origin: '${origin}', ssl: false });
  pubnub.subscribe({ channels: ['ws-channel'] });
  pubnub.addListener({
    status: function (status) { if (status.category === 'PNConnectedCategory') document.body.dataset.connected = 'yes'; },
    message: function (event) {
      var line = document.createElement('p');
      line.textContent = 'Message from client: ' + event.message;
      document.getElementById('messages').append(line);
    },
  });
  document.getElementById('form').addEventListener('submit', function (event) {
    var text = document.getElementById('text');
    pubnub.publish({ channel: 'ws-channel', message: text.value });
    text.value = '';
    event.preventDefault();
  });
</script>
`;

describe('a chat page', () => {
  let server;
  let pages;
  let browser;
  before(async () => {
    server = await Server.start();
    const sdk = require.resolve('pubnub-page/dist/web/pubnub.min.js');
    pages = createServer(async (request, response) => {
      const [type, body] =
        request.url === '/' ? ['text/html', page(server.host)] : request.url === '/pubnub.js' ? ['text/javascript', await readFile(sdk)] : [];
      if (!type) return response.writeHead(404).end();
      return response.writeHead(200, { 'content-type': `${type}; charset=utf-8` }).end(body);
    });
    pages.listen(0, '127.0.0.1');
    await once(pages, 'listening');
    browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ARGS });
  });
  after(async () => {
    await browser?.close();
    pages?.close();
    await server?.stop();
  });

  const visit = async (errors) => {
    const visitor = await (await browser.newContext()).newPage();
    visitor.setDefaultTimeout(10_000);
    visitor.on('pageerror', (error) => errors.push(error.message));
    await visitor.goto(`http://127.0.0.1:${pages.address().port}/`);
    await visitor.waitForSelector('body[data-connected]');
    return visitor;
  };

  test('two of it talk with each other', async () => {
    const errors = [];
    const visitors = [await visit(errors), await visit(errors)];
    const said = ['hello?', 'Grüße, "мир" 日本 𝄞', 'a/b?c=d&e#f%', '42'];
    for (const [n, text] of said.entries()) {
      const speaker = visitors[n % 2];
      await speaker.fill('#text', text);
      await speaker.press('#text', 'Enter');
      // Each sees it before the next is sent, who sent it too.
      for (const visitor of visitors) await visitor.waitForFunction((count) => document.querySelectorAll('p').length === count, n + 1);
    }
    for (const visitor of visitors) {
      const lines = await visitor.locator('p').allTextContents();
      assert.deepEqual(lines, said.map((text) => `Message from client: ${text}`));
    }
    assert.deepEqual(errors, []);
  });

  test('a page may use what browsers ask permission for', async () => {
    const errors = [];
    const visitor = await visit(errors);
    const got = await visitor.evaluate(async () => {
      const channel = 'from a page';
      const { timetoken } = await pubnub.publish({ channel, message: { text: 'ü' }, sendByPost: true });
      const action = await pubnub.addMessageAction({ channel, messageTimetoken: timetoken, action: { type: 'r', value: 'v' } });
      const { actionTimetoken } = action.data;
      const removed = await pubnub.removeMessageAction({ channel, messageTimetoken: timetoken, actionTimetoken });
      const user = await pubnub.objects.setUUIDMetadata({ data: { name: 'Page' } });
      const gone = await pubnub.objects.removeUUIDMetadata();
      const file = await pubnub.sendFile({ channel, file: new File(['text of a file'], 'a.txt', { type: 'text/plain' }) });
      const downloaded = await pubnub.downloadFile({ channel, id: file.id, name: file.name });
      const text = await (await downloaded.toBlob()).text();
      const refused = await pubnub.objects.getUUIDMetadata({ uuid: 'nobody' }).catch((error) => error.status.statusCode);
      return [removed.data, user.data.name, gone.data, text, refused];
    });
    assert.deepEqual(got, [{}, 'Page', null, 'text of a file', 404]);
    assert.deepEqual(errors, []);
  });
});
