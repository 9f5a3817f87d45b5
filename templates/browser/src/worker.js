// The thread that embeds. Messages are `{id, op, ...}`; each gets `{id, result}` or `{id, fault}`. `{event, ...}` reports what happens.

import { Fault } from './fault.js';
import { chosen, readModel, readSite } from './catalog.js';
import { Model } from './model.js';
import { embedOnServer } from './server-tier.js';
import { lacking } from './runtime.js';
import { openStore } from './store.js';

// Bounds of one request.
const TEXTS = 64;
const CHARACTERS = 32_000;
// Maximum delay of the model download in favor of the first vector of the static tier.
const FIRST_MS = 500;

let site;
let opened;
let store;
let model;
const now = () => performance.timeOrigin + performance.now();
const tell = (event, facts = {}) => postMessage({ event, at: now(), ...facts });

async function open({ name, siteUrl, assets, wanted }) {
  model?.stop.abort();
  model = undefined;
  // In parallel: the page waits for both when it opens.
  opened ??= openStore(wanted.store);
  site ??= await readSite(siteUrl);
  const entry = chosen(site, name);
  const server = new URL(site.embed, siteUrl).href;
  const opening = new Model({ name: entry.name, files: new Map() }, { server, assets, wanted, tell });
  model = opening;
  [store, opening.listed] = await Promise.all([opened, readModel(entry)]);
  opening.store = store;
  const { version, graph, lists, files } = opening.listed;
  const names = site.models.map((one) => one.name);
  tell('model', { name: entry.name, version, graph, lists, tokens: files.get('tokens.json'), store: store.name, names, title: site.title, stack: site.stack });
  return load(opening);
}

// Static tier and full model are independent: one may fail while the other works.
async function load(opening) {
  const fails = (bad) => {
    if (opening.stop.signal.aborted) return;
    opening.failed = bad;
    tell('unavailable', { fault: Fault.data(bad) });
  };
  const lesser = (bad) => tell('notice', { code: 'static', message: bad.message });
  try {
    const kept = await opening.isKept();
    if (kept && !lacking()) opening.runtime();
    await opening.readSmall();
    const opened = opening.openStatic().catch(lesser);
    // Downloading the model would delay the first vector; a stored model would not.
    if (!kept) await opened.then(() => Promise.race([opening.answered, new Promise((done) => setTimeout(done, FIRST_MS))]));
    await opening.openFull();
    await opened;
    await opening.static?.keep().catch(lesser);
  } catch (bad) {
    fails(bad);
    return;
  }
  await opening.written();
  await forgetOthers(opening);
  tell('kept');
}

// Files of earlier versions. Those of the page's other models are kept.
async function forgetOthers(opening) {
  if (opening.stop.signal.aborted) return;
  const lists = await Promise.all(site.models.map((one) => readModel(one).catch(() => null)));
  if (lists.includes(null)) return;
  const wanted = new Set(lists.flatMap((one) => [...one.files.values()].map((file) => file.sha256)));
  for (const folder of await store.folders()) if (!wanted.has(folder)) await store.remove(folder);
}

function bounded(texts) {
  if (!Array.isArray(texts) || !texts.length || texts.some((text) => typeof text !== 'string')) throw new Fault('NO_TEXT', 'There is no text.', 'write one text a line');
  if (texts.length > TEXTS) throw new Fault('TOO_MANY', `${texts.length} texts are more than ${TEXTS}.`, `embed at most ${TEXTS} at a time`);
  const long = texts.findIndex((text) => text.length > CHARACTERS);
  if (long >= 0) throw new Fault('TOO_LONG', `Text ${long + 1} has ${texts[long].length} characters; this page takes ${CHARACTERS}.`, 'shorten it');
}

// `tier` is static, full, server or any. The response names the tier of each text.
async function embed({ texts, tier = 'full', cut = false }) {
  bounded(texts);
  if (!model) throw new Fault('NOT_READY', 'No model is open.', 'choose a model');
  const of = tier === 'any' ? (model.full ? 'full' : model.failed ? 'server' : 'static') : tier;
  if (of === 'server') return onServer(texts, cut);
  if (!model[of]) throw model.failed ?? new Fault('NOT_READY', `The ${of} tier is not loaded yet.`, 'wait for it, or ask for another tier');
  const results = [];
  for (const [at, text] of texts.entries()) results.push(await one(of, text, at, cut));
  model.answer();
  return results;
}

async function one(tier, text, at, cut) {
  const began = performance.now();
  const { ids, total } = model.tokenizer.encode(text);
  if (total > ids.length && !cut) throw new Fault('TOO_LONG', `Text ${at + 1} has ${total} tokens; the model reads ${ids.length}.`, 'shorten it, or allow long texts to be cut');
  const vector = await model[tier].vector(ids);
  const backend = tier === 'full' ? model.full.provider : undefined;
  return { tier, backend, vector, ids, tokens: ids.length, total, ms: performance.now() - began };
}

async function onServer(texts, cut) {
  const began = performance.now();
  const vectors = await embedOnServer(model.server, model.listed.name, texts, cut);
  const ms = (performance.now() - began) / texts.length;
  return vectors.map((vector) => ({ tier: 'server', vector, ms }));
}

async function remove() {
  for (const file of model.listed.files.values()) await store.remove(file.sha256);
}

const OPS = {
  open,
  embed,
  remove,
  gpu: () => model.tryGpu(),
  pause: () => model.stop.abort(),
  tokens: ({ texts }) => texts.map((text) => model.tokenizer.encode(text)),
};

onmessage = async ({ data: { id, op, ...rest } }) => {
  try {
    postMessage({ id, result: await OPS[op](rest) });
  } catch (bad) {
    postMessage({ id, fault: Fault.data(bad) });
  }
};
tell('started');
