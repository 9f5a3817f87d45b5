// The page: starts the worker, shows the static tier first and the full model once it is checked, and caches both for offline use.

import { Client } from './client.js';
import { median } from './check.js';
import { embedOnServer } from './server-tier.js';
import { forgetPage, keepPage } from './offline.js';
import * as view from './view.js';

const at = (id) => document.getElementById(id);
const absolute = (path) => new URL(path, document.baseURI).href;
// URLs of the built assets; build.mjs inserts them.
const assets = JSON.parse(JSON.stringify(ASSETS), (_, value) => (typeof value === 'string' && value.startsWith('assets/') ? absolute(value) : value));
const query = new URLSearchParams(location.search);
const siteUrl = absolute('site.json');
const facts = { started: performance.timeOrigin, warm: [] };
let shown = 0;
let client;

const since = (time) => time - facts.started;
const lines = () => at('texts').value.split('\n').map((line) => line.trimEnd()).filter((line) => line !== '');
const trustKey = (graph) => `akidb-edge-checked ${graph} ${assets.wasm.wasm} ${navigator.userAgent}`;
const stored = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
const remember = (key, value) => { try { localStorage.setItem(key, value); } catch { /* A private window. */ } };

function timings() {
  const rows = [
    ['Page to first vector of the static tier', facts.firstStatic],
    ['Page to first checked vector of the full model', facts.firstFull],
    ['Runtime and model, downloaded or read', facts.full?.ms.load],
    ['Session', facts.full?.ms.create],
    ['Check of the backend', facts.full?.ms.check],
    ['A text, warm (median)', facts.warm.length ? median(facts.warm) : undefined],
  ].filter(([, value]) => value !== undefined).map(([name, value]) => [name, view.ms(value)]);
  if (facts.full) rows.push(['Downloaded of the model', view.megabytes(facts.full.fetched)]);
  if (facts.memory) rows.push(['Memory of page and model', view.megabytes(facts.memory)]);
  view.timings(rows);
}

// Returns the fault that it shows; undefined on success.
async function embed(tier = 'any') {
  view.fault(null);
  const texts = lines();
  const mine = ++shown;
  try {
    const found = await client.ask('embed', { texts, tier, cut: at('cut').checked });
    // A newer response may have been shown already.
    if (mine < shown && tier === 'static') return null;
    if (found[0].tier === 'full') facts.warm.push(...found.map((one) => one.ms));
    const first = { static: 'firstStatic', full: 'firstFull' }[found[0].tier];
    if (first) facts[first] ??= since(performance.timeOrigin + performance.now());
    view.tier(found[0].tier);
    view.results(texts, found);
    timings();
    return null;
  } catch (bad) {
    view.fault(bad);
    return bad;
  }
}

const heard = {
  started() {},
  model({ name, version, graph, lists, tokens, store, names, title, stack }) {
    Object.assign(facts, { name, version, graph, lists, tokens });
    view.models(names, name);
    view.text('title', title);
    view.text('stack', stack ? `Stack ${stack}` : '');
    view.text('version', version);
    view.text('hash', graph ? `${graph.path}, SHA-256 ${graph.sha256.slice(0, 16)}…` : 'no graph');
    at('hash').title = graph?.sha256 ?? '';
    view.text('store', store);
  },
  static() {
    embed('static');
  },
  progress({ done, size }) {
    view.progress(done, size);
  },
  async full(full) {
    facts.full = full;
    remember(trustKey(facts.graph.sha256), '1');
    view.show('download', false);
    view.text('backend', full.threads > 1 ? `WebAssembly, ${full.threads} threads` : 'WebAssembly, 1 thread');
    view.text('check', `${full.check.texts} of ${full.check.texts} texts agree with the ${full.check.from === 'model' ? 'model’s own vectors' : 'server'} (worst cosine ${full.check.worst.toFixed(5)})`);
    view.show('gpu', Boolean(navigator.gpu));
    await embed('full');
    document.documentElement.dataset.full = 'ready';
    await measureMemory();
  },
  async unavailable({ fault }) {
    facts.fault = fault;
    view.show('download', false);
    view.text('backend', 'asking the server …');
    const failed = await embed('server');
    view.text('backend', failed ? 'none' : 'server');
    view.fault(failed ? { message: `${fault.message} ${failed.message}`, next: fault.code === 'OFFLINE' ? fault.next : failed.next } : fault);
  },
  notice({ code, message }) {
    if (code !== 'static') facts.inMemory = true;
    view.text('notice', message);
  },
  async kept() {
    view.text('offline', 'keeping the page …');
    const own = [location.pathname, 'site.json', ...document.querySelectorAll('link[href^="assets/"], script[src^="assets/"]')]
      .map((one) => absolute(typeof one === 'string' ? one : one.getAttribute('href') ?? one.getAttribute('src')));
    const { kept, why } = await keepPage('sw.js', [...own, assets.worker, assets.wasm.ort, assets.wasm.glue, ...facts.lists]);
    const models = facts.inMemory || at('store').textContent === 'memory' ? 'the model is in memory only' : '';
    view.text('offline', kept && !models ? 'yes, also after a reload without a network' : `no: ${why ?? models}`);
    document.documentElement.dataset.offline = String(kept && !models);
  },
  async stopped({ message }) {
    view.fault({ message: `The thread that embeds cannot start in this browser (${message}).`, next: 'update the browser; until then the server embeds' });
    client = { ask: onServer };
    await embed('server');
  },
};

// Without a worker, the server embeds.
async function onServer(op, { texts }) {
  const site = await (await fetch(siteUrl)).json();
  const began = performance.now();
  const vectors = await embedOnServer(absolute(site.embed), at('model').value || site.models[0].name, texts, at('cut').checked);
  return vectors.map((vector) => ({ tier: 'server', vector, ms: (performance.now() - began) / texts.length }));
}

async function measureMemory() {
  if (!crossOriginIsolated || !performance.measureUserAgentSpecificMemory) return;
  facts.memory = (await performance.measureUserAgentSpecificMemory().catch(() => ({}))).bytes;
  timings();
}

function open(name) {
  delete document.documentElement.dataset.full;
  delete document.documentElement.dataset.offline;
  facts.inMemory = false;
  view.text('notice', '');
  const wanted = {
    store: query.get('store'),
    threads: query.has('threads') ? Number(query.get('threads')) : undefined,
    samples: lines().slice(0, 10),
    trusted: Boolean(stored(trustKey(query.get('graph') ?? facts.graph?.sha256 ?? stored('akidb-edge-graph')))),
  };
  return client.ask('open', { name, siteUrl, assets, wanted }).catch(async (bad) => {
    view.fault(bad);
    if (bad.code === 'UNKNOWN_MODEL') view.tier('none');
  });
}

async function tryGpu() {
  at('gpu').disabled = true;
  view.text('backend', 'WebAssembly; trying WebGPU …');
  try {
    const { used, check, gpuMs, wasmMs } = await client.ask('gpu');
    facts.gpu = { used, check, gpuMs, wasmMs };
    const times = `${view.ms(median(gpuMs))} a text, WebAssembly ${view.ms(median(wasmMs))}`;
    view.text('backend', used ? `WebGPU (${times})` : `WebAssembly; WebGPU is ${check.passed ? 'not faster' : 'not right'} here (${times}, worst cosine ${check.worst.toFixed(4)})`);
  } catch (bad) {
    facts.gpu = { used: false, fault: bad.code };
    view.text('backend', `WebAssembly; no WebGPU: ${bad.message}`);
  }
}

async function forget() {
  await client.ask('remove').catch(() => {});
  await forgetPage();
  try {
    for (const key of Object.keys(localStorage).filter((one) => one.startsWith('akidb-edge-'))) localStorage.removeItem(key);
  } catch { /* A private window. */ }
  view.text('offline', 'no: deleted from this device');
}

function start() {
  at('start').remove();
  view.show('page', true);
  view.text('isolated', crossOriginIsolated ? 'yes' : 'no: one thread');
  client = new Client(assets.worker, (event) => {
    if (event.event === 'full') remember('akidb-edge-graph', facts.graph.sha256);
    heard[event.event]?.(event);
  });
  at('form').addEventListener('submit', (event) => { event.preventDefault(); embed(); });
  at('model').addEventListener('change', () => open(at('model').value));
  at('pause').addEventListener('click', () => { client.ask('pause'); view.show('pause', false); view.show('resume', true); });
  at('resume').addEventListener('click', () => { view.show('pause', true); view.show('resume', false); open(facts.name); });
  at('gpu').addEventListener('click', tryGpu);
  at('forget').addEventListener('click', forget);
  addEventListener('online', () => { if (facts.fault?.code === 'OFFLINE') open(facts.name); });
  // For scripts and tests: the functions of the buttons.
  globalThis.akidb = { embed: (texts, tier = 'any', cut = false) => client.ask('embed', { texts, tier, cut }), tokens: (texts) => client.ask('tokens', { texts }), facts, tryGpu, forget };
  open(query.get('model'));
}

// Firefox runs modules of a file, where nothing can be loaded: the note of index.html stays, which says what to do.
if (location.protocol !== 'file:') start();
