// Runs the model with ONNX Runtime: one text at a time on one thread. On one core this is the fastest way, and the vector of a text
// does not depend on other texts.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import zlib from 'node:zlib';

import { mean } from './inference/vectors.mjs';

const OPTIONS = {
  executionProviders: ['cpu'],
  executionMode: 'sequential',
  graphOptimizationLevel: 'all',
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
};
// Time reserved for writing the answer, and the assumed time per token until it was measured.
const SPARE_MS = 250;
const FIRST_MS_A_TOKEN = 0.5;
const COLD_MS = 3000;

/** Whether a file is as it was packed: by CRC-32, which sees every damage of a bit or a few and takes a third of the time of SHA-256. */
function whole(bytes, { crc32, sha256 }) {
  if (crc32 !== undefined && zlib.crc32) return zlib.crc32(bytes) === crc32;
  return createHash('sha256').update(bytes).digest('hex') === sha256;
}

/** A file of the package by its entry in model.json. A damaged one may still be read, and give wrong vectors: it is an error. */
export function readWhole(file, folder) {
  const bytes = readFileSync(new URL(file.path, folder));
  if (!whole(bytes, file)) throw new Error(`${file.path} is damaged: its checksum is not that of model.json`);
  return bytes;
}

export class Encoder {
  constructor(about, folder) {
    Object.assign(this, { about, folder, ready: false, msPerToken: FIRST_MS_A_TOKEN });
  }

  /** Loads the graph once; after a failure the next request tries again. */
  load() {
    this.loading ??= this.open().catch((error) => {
      this.loading = undefined;
      throw error;
    });
    return this.loading;
  }

  /** Begins to load; nobody waits for it. */
  warm() {
    setImmediate(() => this.load().catch(() => {}));
  }

  async open() {
    const bytes = readWhole(this.about.files.graph, this.folder);
    // With require: a file that is missing in the package is an error here, not when the function is loaded.
    this.runtime = createRequire(import.meta.url)('onnxruntime-node');
    this.session = await this.runtime.InferenceSession.create(bytes, OPTIONS);
    this.ready = true;
  }

  /** Whether the time that is left is enough for so many tokens. */
  fits(encoded, context) {
    const left = context?.getRemainingTimeInMillis?.() ?? Infinity;
    const tokens = encoded.reduce((sum, ids) => sum + ids.length, 0);
    return tokens * this.msPerToken + SPARE_MS + (this.ready ? 0 : COLD_MS) <= left;
  }

  /** The mean of each text's states; not of length 1 yet. */
  async embed(encoded) {
    await this.load();
    const found = [];
    for (const ids of encoded) found.push(await this.one(ids));
    return found;
  }

  tensor(values) {
    return new this.runtime.Tensor('int64', values, [1, values.length]);
  }

  /** The inputs that are the same for all texts of a length. */
  constants(count) {
    this.kept ??= [];
    this.kept[count] ??= { ones: this.tensor(new BigInt64Array(count).fill(1n)), zeros: this.tensor(new BigInt64Array(count)) };
    return this.kept[count];
  }

  async one(ids) {
    const began = performance.now();
    const count = ids.length;
    const { ones, zeros } = this.constants(count);
    const whole = new BigInt64Array(count);
    for (let at = 0; at < count; at += 1) whole[at] = BigInt(ids[at]);
    const every = { input_ids: this.tensor(whole), attention_mask: ones, token_type_ids: zeros };
    const feeds = {};
    for (const name of this.session.inputNames) feeds[name] = every[name];
    const output = this.session.outputNames[0];
    const { data, dims } = (await this.session.run(feeds))[output];
    const dimension = dims.at(-1);
    if (dims.length !== 3 || dimension !== this.about.dimension) throw new Error(`the graph returns ${dims.join('x')}`);
    const vector = mean(data, count, dimension);
    const took = (performance.now() - began) / count;
    this.msPerToken = 0.8 * this.msPerToken + 0.2 * took;
    return vector;
  }
}
