// What the page in a browser answers to a list of texts, for the certificate of parity: `models certify --responses browser=FILE`.
//
//   node answers.mjs --engine chromium|firefox|webkit [--url ADDRESS] [--model NAME] < TEXTS.json > FILE
//
// Without an address the page of this checkout is served as the plan of week 13 serves it. Long texts are cut, as by the other tiers.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ENGINES } from './drivers.mjs';
import { startEdge } from './edge.mjs';
import { REAL, ROOT, published } from './models.mjs';
import { Page } from './page.mjs';

const AT_A_TIME = 32;
const { values: options } = parseArgs({ options: { engine: { type: 'string', default: 'chromium' }, url: { type: 'string' }, model: { type: 'string', default: REAL } } });
const texts = JSON.parse(readFileSync(0, 'utf8'));
if (!ENGINES[options.engine]) throw new TypeError(`there is no engine ${options.engine}; there are ${Object.keys(ENGINES).join(', ')}`);

const edge = options.url ? null : await startEdge({ plan: join(ROOT, 'plans/week13.yaml'), page: join(ROOT, 'templates/browser/dist'), models: { [REAL]: published() } });
const driver = await ENGINES[options.engine]();
try {
  const page = new Page(driver, options.url ?? edge.url);
  await page.open(`?model=${encodeURIComponent(options.model)}`);
  const facts = await page.full();
  const [ids, vectors] = [[], []];
  for (let at = 0; at < texts.length; at += AT_A_TIME) {
    const found = await page.embed(texts.slice(at, at + AT_A_TIME), 'full', true);
    if (found.fault) throw new Error(`texts ${at} and further: ${found.message}`);
    for (const one of found) {
      ids.push(one.ids);
      vectors.push(Buffer.from(Float32Array.from(one.vector).buffer).toString('base64'));
    }
  }
  const tokens = facts.tokens ? { tokens: facts.tokens.sha256 } : {};
  const files = { graph: facts.graph.sha256, ...tokens };
  process.stdout.write(JSON.stringify({ tier: 'browser', model: facts.name, version: facts.version, files, runs_on: driver.version, ids, vectors }));
} finally {
  await driver.close();
  await edge?.close();
}
