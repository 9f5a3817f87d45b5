// What a browser lacks: room, isolation, WebGPU that is worth it.

import assert from 'node:assert/strict';

import { Page } from '../page.mjs';

// Bytes: the page and its programs fit, the model of 24 MB does not.
const ROOM = 8_000_000;

/** The full tier answers from memory, and the page says that it will not be there without a network. */
async function inMemory(page) {
  await page.full();
  // Parts are written after they are used.
  await page.until("async () => document.getElementById('notice')?.textContent.includes('memory until the page is closed')", 'the notice');
  assert.equal(await page.offline(), 'false');
  assert.equal((await page.embed(['hello']))[0].vector.length, 384);
  await page.driver.screenshot(page.shot('no-room'));
}

export const checks = [
  ['without room the model stays in memory, and the page says so', async ({ page, edge, skip }) => {
    const { driver } = page;
    if (driver.quota) {
      const origin = new URL(edge.url).origin;
      await page.open();
      await page.full();
      await driver.run('async () => { await akidb.forget(); }');
      await driver.quota(origin, ROOM);
      // The same tab: in a new one there would be room again.
      await driver.reload();
      await inMemory(page);
      await driver.quota(origin);
      return;
    }
    if (!driver.withRoom) skip('WebKitGTK has no setting for it, and keeps what a driven page stores in memory, also on a disk of 8 MB');
    const small = await driver.withRoom(ROOM);
    try {
      const narrow = Object.assign(new Page(small, edge.url), { shot: page.shot });
      await narrow.open();
      await inMemory(narrow);
    } finally {
      await small.close();
    }
  }],

  ['each kind of store keeps the model', async ({ page, edge }) => {
    for (const store of ['cache', 'opfs']) {
      await page.open(`?store=${store}`);
      await page.full();
      // WebKitGTK loses its caches when a page is left that is still writing.
      await page.offline();
      const state = await page.state();
      edge.requests.length = 0;
      await page.open(`?store=${store}`);
      await page.full();
      const again = edge.requests.filter((one) => /onnx$/.test(one.path)).length;
      assert.ok(state.store === 'memory' || again === 0, `${state.store}: ${again} requests`);
    }
  }],

  ['one thread gives the same vectors as two', async ({ page }) => {
    await page.open();
    await page.full();
    const two = await page.embed(['A kitten naps in the sun.']);
    await page.open('?threads=1');
    const facts = await page.full();
    assert.equal(facts.full.threads, 1);
    const one = await page.embed(['A kitten naps in the sun.']);
    const off = Math.max(...one[0].vector.map((value, at) => Math.abs(value - two[0].vector[at])));
    assert.ok(off < 0.02, String(off));
  }],

  ['WebGPU is used only if it is right and faster', async ({ page, report, skip }) => {
    await page.open();
    await page.full();
    await page.driver.run('async () => { await akidb.tryGpu(); }');
    const { gpu } = await page.driver.run('async () => akidb.facts');
    report.webgpu = gpu;
    if (gpu.fault === 'NO_GPU') skip('this browser offers no WebGPU here');
    const [one] = await page.embed(['hello world']);
    assert.equal(one.backend, gpu.used ? 'webgpu' : 'wasm');
    await page.driver.screenshot(page.shot('webgpu'));
  }],
];
