// One model in this browser: its files, the static tier as soon as its first parts are loaded, then the full model once it is checked.

import { Fault } from './fault.js';
import { partsOf } from './chunks.js';
import { Download } from './download.js';
import { SAME_FILE, OTHER_FILE, agrees, compare, floats, prefersGpu } from './check.js';
import { FullTier } from './full-tier.js';
import { StaticTier } from './static-tier.js';
import { TextTokenizer } from './tokenize.js';
import { embedOnServer } from './server-tier.js';
import { gpuAdapter, lacking, loadRuntime } from './runtime.js';
import { room } from './store.js';
import { settingsOf, smallFiles } from './settings.js';

const STATIC = 'static.bin';
const AGAIN = 3;

export class Model {
  // `tell(event, facts)` reports what happens.
  constructor(listed, { store, server, assets, wanted, tell }) {
    Object.assign(this, { listed, store, server, assets, wanted, tell });
    this.stop = new AbortController();
    this.downloads = [];
    this.answered = new Promise((answer) => { this.answer = answer; });
  }

  // Whether the graph was downloaded before, in whole or in part.
  async isKept() {
    return this.listed.graph && (await this.store.folders()).includes(this.listed.graph.sha256);
  }

  download(path) {
    const file = this.listed.files.get(path);
    if (!file) return null;
    const one = new Download(file, partsOf(file, this.documents?.['chunks.json']), this.store, {
      signal: this.stop.signal,
      say: (code, message) => this.tell('notice', { code, message }),
    });
    this.downloads.push(one);
    return one;
  }

  // Everything that was downloaded is in the store.
  written() {
    return Promise.all(this.downloads.map((one) => one.written));
  }

  // The runtime takes as long to download as the model.
  runtime() {
    this.loading ??= loadRuntime(this.assets, 'wasm', this.wanted.threads);
    this.loading.catch(() => { this.loading = undefined; });
    return this.loading;
  }

  async readSmall() {
    const paths = smallFiles(this.listed.files);
    const read = async (path) => [path, JSON.parse(new TextDecoder().decode(await this.download(path).whole()))];
    this.documents = Object.fromEntries(await Promise.all(paths.map(read)));
    this.settings = settingsOf(this.documents);
    this.tokenizer = new TextTokenizer(this.documents, this.settings.longest, this.settings.lowercase);
  }

  async openStatic() {
    const download = this.download(STATIC);
    if (!download) return;
    this.static = await StaticTier.open(download);
    this.tell('static');
  }

  async openFull() {
    const lack = lacking();
    if (lack) throw lack;
    const { graph } = this.listed;
    if (!graph) throw new Fault('NO_GRAPH', `${this.listed.name} has no ONNX graph.`, 'the server embeds instead');
    if ((await room()) < graph.size) this.tell('notice', { code: 'full', message: 'This browser has too little room: the model stays in memory until the page is closed.' });
    const began = performance.now();
    const download = this.download(graph.path);
    const progress = (done, size) => this.tell('progress', { done, size });
    const [ort, bytes] = await Promise.all([this.runtime(), download.whole(progress)]);
    const loaded = performance.now();
    const full = await FullTier.open(ort, bytes, this.settings);
    const created = performance.now();
    const check = await this.check(full, this.wanted.trusted);
    if (!check.passed) {
      await full.release();
      throw new Fault('WRONG_VECTORS', `In this browser the model gives other vectors than it should (worst cosine ${check.worst.toFixed(4)}, ids of ${check.ids} of ${check.texts} texts).`, 'the server embeds instead');
    }
    this.full = full;
    this.tell('full', {
      check, fetched: download.fetched, size: graph.size, threads: ort.env.wasm.numThreads,
      ms: { load: loaded - began, create: created - loaded, check: performance.now() - created },
    });
  }

  // The expected vectors: from the model's selfcheck.json, otherwise from the server.
  async expected() {
    const own = this.documents['selfcheck.json'];
    const texts = own?.texts ?? this.wanted.samples.map((text) => ({ text }));
    if (own?.graph === this.listed.graph.sha256) {
      return { from: 'model', threshold: SAME_FILE, texts: texts.map((one) => ({ ...one, vector: floats(one.vector) })) };
    }
    const vectors = await embedOnServer(this.server, this.listed.name, texts.map(({ text }) => text), true);
    return { from: 'server', threshold: OTHER_FILE, texts: texts.map(({ text }, at) => ({ text, vector: vectors[at] })) };
  }

  async check(tier, known) {
    this.reference ??= await this.expected();
    const { from, threshold, texts } = this.reference;
    // If the same bytes passed before in this browser, the check is shorter.
    const expected = known ? texts.slice(0, AGAIN) : texts;
    const got = [];
    const ms = [];
    for (const { text } of expected) {
      const { ids } = this.tokenizer.encode(text);
      const began = performance.now();
      got.push({ ids, vector: await tier.vector(ids) });
      ms.push(performance.now() - began);
    }
    const result = compare(expected, got);
    return { ...result, from, ms, passed: agrees(result, threshold) };
  }

  // Uses WebGPU if it is correct and faster; otherwise reports why not.
  async tryGpu() {
    if (!this.full) throw new Fault('NOT_READY', 'The model is not loaded yet.', 'try again when it is');
    if (!(await gpuAdapter())) throw new Fault('NO_GPU', 'This browser offers no WebGPU.', 'nothing to do: WebAssembly embeds');
    const ort = await loadRuntime(this.assets, 'webgpu', 1);
    const gpu = await FullTier.open(ort, await this.download(this.listed.graph.path).whole(), this.settings, 'webgpu');
    // The first round compiles; the second one is timed, on both.
    await this.check(gpu);
    const [mine, theirs] = [await this.check(gpu), await this.check(this.full)];
    const used = prefersGpu(mine, mine.ms, theirs.ms);
    const [unused, kept] = used ? [this.full, gpu] : [gpu, this.full];
    this.full = kept;
    await unused.release();
    return { used, check: mine, gpuMs: mine.ms, wasmMs: theirs.ms };
  }
}
