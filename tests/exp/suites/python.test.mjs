// What each SDK does, by a program on Python 2.7.

import { after, before, describe, test } from 'node:test';
import { CASES } from '../harness/cases.mjs';
import { LIFECYCLES } from '../harness/lifecycles.mjs';
import { MISSING, PythonSdk } from '../harness/python.mjs';
import { prepare } from '../harness/prepare.mjs';

describe('a program on Python 2.7', { concurrency: 6, skip: MISSING }, () => {
  const context = {};
  before(() => prepare(context, PythonSdk));
  after(() => context.stop?.());

  for (const [name, run] of Object.entries({ ...LIFECYCLES, ...CASES })) test(name, (t) => run(t, context));
});
