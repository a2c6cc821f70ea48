// A device that logs in, tells how it fares, and reports a reading each second:
//   node examples/device.mjs http://127.0.0.1:8080 test-uuid test-secret

import { connect, UnauthorizedError } from 'antiphon';

const [url = 'http://127.0.0.1:8080', uuid, secret] = process.argv.slice(2);

try {
  const exp = await connect({ url, ...(uuid && { device: { uuid, secret } }) });
  console.log('online as', exp.identity);
  exp.on('online', () => console.log('online again'));
  exp.on('offline', (error) => console.log('offline:', error.detail));
  exp.on('reconnecting', ({ delay }) => console.log(`the next attempt is in ${Math.round(delay)} ms`));
  exp.on('gap', ({ channel }) => console.log('something was missed on', channel));
  exp.on('error', (error) => console.error(error.type, error.detail));

  await exp.getChannel(exp.identity).listen('identify', (_payload, respond) => respond({ name: exp.identity }));
  const readings = exp.getChannel('readings');
  setInterval(() => {
    // While there is no connection they wait for it, up to a limit.
    readings.publish('temperature', { celsius: 20 + Math.random() }).catch((error) => console.error(error.detail));
  }, 1000);
} catch (error) {
  console.error(error instanceof UnauthorizedError ? 'these are no credentials of a device:' : 'no connection:', error.detail);
  process.exitCode = 1;
}
