// What each SDK does, by a program on Node.

import { after, before, describe, test } from 'node:test';
import { CASES } from '../harness/cases.mjs';
import { LIFECYCLES } from '../harness/lifecycles.mjs';
import { NodeSdk } from '../harness/node.mjs';
import { prepare } from '../harness/prepare.mjs';

describe('a program on Node', { concurrency: 6 }, () => {
  const context = {};
  before(() => prepare(context, NodeSdk));
  after(() => context.stop?.());

  for (const [name, run] of Object.entries({ ...LIFECYCLES, ...CASES })) test(name, (t) => run(t, context));
});
