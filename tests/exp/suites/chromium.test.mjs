// What each SDK does, by a page in Chromium.

import { after, before, describe, test } from 'node:test';
import { CASES } from '../harness/cases.mjs';
import { LIFECYCLES } from '../harness/lifecycles.mjs';
import { ChromiumSdk } from '../harness/chromium.mjs';
import { prepare } from '../harness/prepare.mjs';

describe('a page in Chromium', { concurrency: 6 }, () => {
  const context = {};
  before(() => prepare(context, ChromiumSdk));
  after(() => context.stop?.());

  for (const [name, run] of Object.entries({ ...LIFECYCLES, ...CASES })) test(name, (t) => run(t, context));
});
