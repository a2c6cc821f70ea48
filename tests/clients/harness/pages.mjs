// Serves the page and the clients' bundles to a browser, from another origin than the server under test.

import { createServer } from 'node:http';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const file = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));

const FILES = {
  '/': [file('page/index.html'), 'text/html; charset=utf-8'],
  '/page.js': [file('page/page.js'), 'text/javascript; charset=utf-8'],
};
for (const module of ['sio1', 'sio2', 'sio3', 'sio4']) {
  FILES[`/${module}.js`] = [file(`node_modules/${module}/dist/socket.io.js`), 'text/javascript; charset=utf-8'];
}

/** A server of the page, and its address. */
export async function servePages() {
  const server = createServer(async (request, response) => {
    const found = FILES[new URL(request.url, 'http://page').pathname];
    if (!found) return response.writeHead(404).end();
    const [path, type] = found;
    return response.writeHead(200, { 'content-type': type }).end(await readFile(path));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}
