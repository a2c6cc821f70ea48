// What the cases of an SDK are given.

import { Server } from '../../standalone/harness/server.mjs';
import { configuration } from './config.mjs';
import { TOKEN_LIFETIME } from './lifecycles.mjs';

/** Makes `context` what the cases are given: the SDK, a server, and one whose tokens end soon. */
export async function prepare(context, Sdk) {
  const sdk = await Sdk.start();
  const origins = [sdk.origin ?? 'http://127.0.0.1:1'];
  const configure = (exp = '') => configuration({ exp: `broadcast_timeout = "300ms"\n${exp}`, origins });
  const servers = [];
  Object.assign(context, {
    sdk,
    configure,
    stop: async () => {
      await sdk.stop();
      for (const server of servers) await server.stop();
    },
  });
  servers.push((context.server = await Server.start(undefined, configure())));
  servers.push((context.hasty = await Server.start(undefined, configure(`token_lifetime = "${TOKEN_LIFETIME}"`))));
}
