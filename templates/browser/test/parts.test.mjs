// Downloads in parts, with a network and a store that fail.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import { partsAround, partsOf } from '../src/chunks.js';
import { Download } from '../src/download.js';
import { memory } from '../src/store.js';

const sha256 = (data) => createHash('sha256').update(data).digest('hex');
const DATA = Uint8Array.from({ length: 1000 }, (_, at) => (at * 7) % 251);
const FILE = { path: 'm.onnx', size: DATA.length, sha256: sha256(DATA), url: 'https://edge.example/m.onnx' };
const TABLE = { format: 1, files: { 'm.onnx': { size: 1000, sha256: FILE.sha256, chunk: 300, sha256s: [0, 300, 600, 900].map((at) => sha256(DATA.subarray(at, at + 300))) } } };

// A network that answers ranges of DATA; `faults` are used up, one for each request.
function network(t, faults = [], { ranges = true } = {}) {
  const asked = [];
  t.mock.method(globalThis, 'fetch', async (url, { headers = {} } = {}) => {
    asked.push(headers.range ?? 'all');
    const fault = faults.shift();
    if (fault === 'gone') throw new TypeError('network');
    if (typeof fault === 'number') return new Response('', { status: fault });
    const [, from, to] = /bytes=(\d+)-(\d+)/.exec(headers.range ?? 'bytes=0-9999');
    const data = (ranges ? DATA.slice(Number(from), Number(to) + 1) : DATA.slice());
    if (fault === 'flipped') data[5] ^= 1;
    return new Response(fault === 'short' ? data.slice(0, 10) : data, { status: ranges && headers.range ? 206 : 200 });
  });
  return asked;
}

test('parts follow the table, or a fixed size when it is of another file', () => {
  assert.deepEqual(partsOf(FILE, TABLE).map(({ from, size }) => [from, size]), [[0, 300], [300, 300], [600, 300], [900, 100]]);
  assert.deepEqual(partsOf({ ...FILE, sha256: '0' }, TABLE), [{ from: 0, size: 1000, sha256: '0' }]);
  assert.equal(partsOf({ ...FILE, size: 3 << 20 }, undefined).length, 3);
  assert.deepEqual(partsAround(partsOf(FILE, TABLE), 290, 20), [0, 1]);
  assert.deepEqual(partsAround(partsOf(FILE, TABLE), 999, 1), [3]);
});

test('each part is fetched once, checked and kept', async (t) => {
  const [asked, store] = [network(t), memory()];
  const one = new Download(FILE, partsOf(FILE, TABLE), store);
  assert.deepEqual(await one.whole(), DATA);
  await one.written;
  assert.equal(asked.length, 4);
  assert.deepEqual(await new Download(FILE, partsOf(FILE, TABLE), store).whole(), DATA);
  assert.equal(asked.length, 4, 'the second time nothing is asked for');
});

test('damage, dropped connections and short answers are asked for again', async (t) => {
  const asked = network(t, ['flipped', 'gone', 'short', 503]);
  assert.deepEqual(await new Download(FILE, partsOf(FILE, TABLE), memory()).whole(), DATA);
  assert.equal(asked.length, 8);
});

test('a server without ranges is taken as it is', async (t) => {
  network(t, [], { ranges: false });
  assert.deepEqual(await new Download(FILE, partsOf(FILE, TABLE), memory()).whole(), DATA);
});

test('what stays damaged is refused and not kept', async (t) => {
  network(t, Array(40).fill('flipped'));
  const store = memory();
  await assert.rejects(new Download(FILE, partsOf(FILE, TABLE), store).whole(), { code: 'DAMAGED' });
  // Without a table the whole is checked at the end, and all of it goes.
  await assert.rejects(new Download(FILE, partsOf(FILE, undefined), store).whole(), { code: 'DAMAGED' });
  assert.deepEqual(await store.folders(), []);
});

test('a file that is not there is not asked for again', async (t) => {
  const asked = network(t, [404]);
  await assert.rejects(new Download(FILE, partsOf(FILE, undefined), memory()).whole(), { code: 'REFUSED' });
  assert.equal(asked.length, 1);
});

test('without a network the fault says so, and what is here stays', async (t) => {
  network(t, [undefined, undefined, ...Array(60).fill('gone')]);
  const store = memory();
  const one = new Download(FILE, partsOf(FILE, TABLE), store);
  await assert.rejects(one.whole(), { code: 'OFFLINE' });
  await one.written;
  t.mock.restoreAll();
  const asked = network(t);
  assert.deepEqual(await new Download(FILE, partsOf(FILE, TABLE), store).whole(), DATA);
  assert.equal(asked.length, 2, 'the rest alone');
});

test('a full store leaves the file in memory, and says so once', async (t) => {
  network(t);
  const store = memory();
  store.put = async () => { throw Object.assign(new Error('full'), { name: 'QuotaExceededError' }); };
  const said = [];
  const one = new Download(FILE, partsOf(FILE, TABLE), store, { say: (code, message) => said.push([code, message]) });
  assert.deepEqual(await one.whole(), DATA);
  await one.written;
  assert.equal(said.length, 1);
  assert.equal(said[0][0], 'full');
});

test('a damaged part in the store counts as missing', async (t) => {
  const asked = network(t);
  const store = memory();
  await store.put(`${FILE.sha256}/1`, new Uint8Array(300));
  assert.deepEqual(await new Download(FILE, partsOf(FILE, TABLE), store).whole(), DATA);
  assert.equal(asked.length, 4);
});
