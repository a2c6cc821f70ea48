// What a strict TypeScript program of CommonJS sees. It is compiled, and not run.

import antiphon = require('antiphon');

export function uses(): Promise<antiphon.Antiphon> {
  return antiphon.connect({ url: 'http://127.0.0.1:8080' });
}
