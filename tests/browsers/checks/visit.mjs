// A visit: the static tier first and labelled as such, then the full model, right to the server's own arithmetic; then all of it offline.

import assert from 'node:assert/strict';
import { cosine } from '../page.mjs';
import { REAL, golden, reference } from '../models.mjs';

// INT8 in WebAssembly against onnxruntime, by text: docs/guides/browser.md says why single texts differ so much.
const [MEAN, WORST] = [0.999, 0.995];
const COUNT = 40;

export const checks = [
  ['the static tier answers first, and says so', async ({ page, report }) => {
    await page.open();
    const facts = await page.tier('static');
    report.first_static_ms = Math.round(facts.firstStatic);
    await page.driver.screenshot(page.shot('static'));
  }],

  ['the full model is checked, then used', async ({ page, report }) => {
    const facts = await page.full();
    const state = await page.state();
    assert.equal(state.tier, 'full');
    assert.equal(state.isolated, true);
    assert.equal(facts.full.check.ids, 10);
    Object.assign(report, { first_full_ms: Math.round(facts.firstFull), load: facts.full.ms, threads: facts.full.threads, store: state.store, worst_of_check: facts.full.check.worst });
    await page.driver.screenshot(page.shot('full'));
  }],

  ['token ids and vectors are those of the server', async ({ page, report, models }) => {
    const texts = golden().map((one) => one.text).filter((text) => text.length < 32_000).slice(0, COUNT);
    const wanted = reference(models[REAL].folder, texts).texts;
    const got = await page.embed(texts, 'full', true);
    assert.ok(!got.fault, got.message);
    got.forEach((one, at) => assert.deepEqual(one.ids, wanted[at].ids, `ids of ${JSON.stringify(texts[at].slice(0, 60))}`));
    const cosines = got.map((one, at) => cosine(one.vector, wanted[at].vector));
    const mean = cosines.reduce((sum, value) => sum + value, 0) / cosines.length;
    Object.assign(report, { cosine_mean: mean, cosine_worst: Math.min(...cosines) });
    assert.ok(mean >= MEAN && Math.min(...cosines) >= WORST, `mean ${mean}, worst ${Math.min(...cosines)}`);
  }],

  ['each vector says its tier, and the static one is another', async ({ page }) => {
    const [fast] = await page.embed(['hello world'], 'static');
    const [full] = await page.embed(['hello world'], 'full');
    assert.deepEqual([fast.tier, full.tier, full.backend], ['static', 'full', 'wasm']);
    const near = cosine(fast.vector, full.vector);
    assert.ok(near > 0.3 && near < 0.9999, String(near));
  }],

  ['nothing is fetched twice, and only from this address', async ({ edge, page }) => {
    assert.equal(await page.offline(), 'true', (await page.state()).offlineText);
    const seen = new Map();
    for (const { path, range = '' } of edge.requests.filter((one) => /onnx$|static\.bin$|wasm\.gz$/.test(one.path))) {
      const key = `${path} ${range}`;
      assert.ok(!seen.has(key), `${key} twice`);
      seen.set(key, true);
    }
    const foreign = await page.driver.run(`async () => performance.getEntriesByType('resource').map((one) => one.name).filter((name) => !name.startsWith(location.origin) && !name.startsWith('data:'))`);
    assert.deepEqual(foreign, []);
  }],

  ['without a network a reload embeds the same', async ({ edge, page, report }) => {
    const texts = ['A kitten naps in the sun.', '東京都', ''];
    const before = await page.embed(texts);
    const static1 = await page.embed(texts, 'static');
    await edge.close();
    try {
      await page.driver.reload();
      const facts = await page.full();
      report.reload_full_ms = Math.round(facts.firstFull);
      const state = await page.state();
      assert.equal(state.isolated, true, 'isolation is kept offline');
      const after = await page.embed(texts);
      assert.ok(!after.fault, after.message);
      after.forEach((one, at) => assert.ok(cosine(one.vector, before[at].vector) > 0.999999));
      const static2 = await page.embed(texts, 'static');
      static2.forEach((one, at) => assert.deepEqual(one.vector, static1[at].vector));
      await page.driver.screenshot(page.shot('offline'));
    } finally {
      await edge.reopen();
    }
  }],
];
