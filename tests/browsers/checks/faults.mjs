// What goes wrong gets a clear answer, and never a wrong vector.

import assert from 'node:assert/strict';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { REAL, expected } from '../models.mjs';
import { cosine } from '../page.mjs';

const GRAPH = /model_int8\.onnx$/;
const forget = (page) => page.driver.run(`async () => { await akidb.forget(); }`);

export const checks = [
  ['texts that are too long, too many or none are refused', async ({ page }) => {
    await page.open();
    await page.full();
    const cases = [
      [['word '.repeat(300)], 'TOO_LONG', /302 tokens; the model reads 256/],
      [['x'.repeat(32_001)], 'TOO_LONG', /32001 characters/],
      [Array(65).fill('a'), 'TOO_MANY', /65 texts/],
      [[], 'NO_TEXT', /no text/],
    ];
    for (const [texts, fault, message] of cases) {
      const got = await page.embed(texts);
      assert.equal(got.fault, fault);
      assert.match(got.message, message);
    }
    const [cut] = await page.embed(['word '.repeat(300)], 'full', true);
    assert.deepEqual([cut.tokens, cut.total], [256, 302]);
    await page.write('word '.repeat(300));
    await page.driver.run("async () => document.getElementById('form').requestSubmit()");
    await page.alert('302 tokens');
    await page.driver.screenshot(page.shot('too-long'));
  }],

  ['an unknown model is named, with those that are there', async ({ page }) => {
    await page.open('?model=nothing-like-it');
    const said = await page.alert('nothing-like-it');
    assert.match(said, /all-MiniLM-L6-v2, tiny, tiny-cls/);
  }],

  ['three models can be chosen', async ({ page }) => {
    for (const name of ['tiny', 'tiny-cls']) {
      await page.open(`?model=${name}`);
      await page.full();
      const wanted = expected(name).filter((one) => one.ids.length < 20);
      const got = await page.embed(wanted.map((one) => one.text));
      assert.ok(!got.fault, got.message);
      got.forEach((one, at) => {
        assert.deepEqual(one.ids, wanted[at].ids, `${name}: ${JSON.stringify(wanted[at].text)}`);
        assert.ok(cosine(one.vector, wanted[at].vector) > 0.99999);
      });
    }
    await page.choose(REAL);
    await page.full();
    assert.equal((await page.embed(['hello']))[0].vector.length, 384);
  }],

  ['a part of the model with a flipped bit is fetched again', async ({ edge, page }) => {
    await forget(page);
    edge.requests.length = 0;
    edge.faults.push({ path: GRAPH, flip: 5_000_000, times: 1 }, { path: GRAPH, drop: true, times: 2 });
    await page.open();
    await page.full();
    const parts = edge.requests.filter((one) => GRAPH.test(one.path));
    assert.ok(parts.length > 23 && parts.length <= 27, `${parts.length} requests`);
  }],

  ['a model that stays damaged gives no vector', async ({ edge, page }) => {
    await forget(page);
    edge.faults.push({ path: GRAPH, flip: 5_000_000 });
    try {
      await page.open();
      const said = await page.alert('is not what its SHA-256 says');
      assert.match(said, /part 5 of model_int8\.onnx/);
      assert.equal((await page.embed(['hello'], 'full')).fault, 'DAMAGED');
      await page.driver.screenshot(page.shot('damaged'));
    } finally {
      edge.faults.length = 0;
    }
  }],

  ['what was downloaded before stays: the rest alone is fetched', async ({ edge, page, report, skip }) => {
    edge.requests.length = 0;
    await page.open();
    await page.full();
    const parts = edge.requests.filter((one) => GRAPH.test(one.path));
    report.parts_after_an_interruption = parts.length;
    if (page.driver.name === 'webkit' && parts.length === 23) skip('WebKitGTK loses its caches when a page is left that is still writing: everything is fetched again');
    assert.ok(parts.length >= 1 && parts.length < 23, `${parts.length} requests`);
  }],

  ['a bit that flips in the store is noticed, and the part replaced', async ({ edge, page }) => {
    const flipped = await page.driver.run(`async () => {
      const root = await navigator.storage?.getDirectory();
      const folder = root && await root.getDirectoryHandle('akidb-edge-models').catch(() => null);
      const graph = folder && await folder.getDirectoryHandle(akidb.facts.graph.sha256);
      if (graph) {
        const handle = await graph.getFileHandle('7');
        const bytes = new Uint8Array(await (await handle.getFile()).arrayBuffer());
        bytes[1000] ^= 1;
        const writer = await handle.createWritable();
        await writer.write(bytes);
        await writer.close();
        return true;
      }
      const cache = await caches.open('akidb-edge-models');
      const url = location.origin + '/.akidb-edge-models/' + akidb.facts.graph.sha256 + '/7';
      const bytes = new Uint8Array(await (await cache.match(url)).arrayBuffer());
      bytes[1000] ^= 1;
      await cache.put(url, new Response(bytes));
      return true;
    }`);
    assert.equal(flipped, true);
    edge.requests.length = 0;
    await page.open();
    await page.full();
    assert.equal(edge.requests.filter((one) => GRAPH.test(one.path)).length, 1);
  }],

  ['a kept file of the page that was changed is noticed and fetched again', async ({ edge, page, skip }) => {
    await page.open();
    await page.full();
    if ((await page.offline()) !== 'true') skip('this browser keeps no page here');
    const changed = await page.driver.run(`async () => {
      const cache = await caches.open('akidb-edge-page');
      const names = (await cache.keys()).map(({ url }) => url).filter((url) => /\\.(js|mjs)$/.test(url));
      // As a network's sign-in page would answer.
      for (const url of names) await cache.put(url, new Response('<!doctype html>sign in', { headers: { 'content-type': 'text/html' } }));
      return names.length;
    }`);
    assert.ok(changed >= 2, `${changed} scripts are kept`);
    edge.requests.length = 0;
    await page.driver.reload();
    await page.full();
    assert.equal((await page.embed(['hello']))[0].vector.length, 384);
    assert.ok(edge.requests.some(({ path }) => /main\.[0-9a-f]{16}\.js$/.test(path)), 'the page was fetched again');
    await page.until("async () => document.documentElement.dataset.offline === 'true'", 'the page is kept');
    const whole = await page.driver.run(`async () => {
      const cache = await caches.open('akidb-edge-page');
      const texts = await Promise.all((await cache.keys()).filter(({ url }) => /\\.(js|mjs)$/.test(url)).map(async (one) => (await cache.match(one)).text()));
      return texts.filter((text) => text.includes('sign in')).length;
    }`);
    assert.equal(whole, 0, 'what was changed is not kept any longer');
  }],

  ['a model that the page cannot apply is left to the server', async ({ edge, page }) => {
    const before = edge.server;
    await page.open('?model=arch-bert-dense');
    if (before) {
      await page.tier('server');
      const wanted = expected('arch-bert-dense').find((one) => one.text === 'hello world');
      const [got] = await page.embed(['hello world'], 'any');
      assert.equal(got.tier, 'server');
      assert.ok(cosine(got.vector, wanted.vector) > 0.9999);
    }
    assert.match(await page.alert('This page cannot apply its module Dense'), before ? /the server embeds instead/ : /502/);
  }],

  ['opened as a file it says what to do', async ({ page, dist }) => {
    await page.driver.open(pathToFileURL(join(dist, 'index.html')).href);
    await page.until(`async () => { const one = document.querySelector('#start .late'); return one && getComputedStyle(one).visibility === 'visible' && one.textContent.includes('serve --demo'); }`, 'the note', 30);
    await page.driver.screenshot(page.shot('file'));
  }],
];
