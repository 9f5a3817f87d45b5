// The part of the function that embeds; it is in packages with a model, next to model.json. It answers requests that it can answer
// exactly and leaves all others to the origin. Every failure here is counted, and the origin answers.

import { readFileSync } from 'node:fs';

import { Tokenizer } from '@huggingface/tokenizers';

import { Encoder, readWhole } from './encoder.mjs';
import { Fallbacks } from './fallbacks.mjs';
import { StaticTable } from './inference/static.mjs';
import { Tokens } from './inference/tokens.mjs';
import { sound, unit } from './inference/vectors.mjs';
import { cachedBefore, fits, reply, unchanged } from './reply.mjs';

const SCHEMA = 'akidb-edge/edge-package/v1';
// Settings that only the origin supports: requests with these are forwarded.
const LEFT_TO_ORIGIN = ['dimensions', 'prompt_name', 'truncation_direction'];
const SETTINGS = new Set(['encoding', 'model', 'normalize', 'tier', 'truncate', 'version', ...LEFT_TO_ORIGIN]);
const TEXT_FIELDS = new Set(['inputs', 'texts', 'input', 'text']);
// Texts run one at a time on one core: more tokens would delay other requests by about a second.
const MAX_TOKENS = 8192;
// Only the origin can check an API key, and its answer is for that caller only.
const KEYS = ['authorization', 'api-key', 'x-api-key'];
// Length of a hash prefix that identifies one version; the server uses the same.
const NAMED = 12;
// Memory that the loaded graph needs; a smaller function does not load it.
const LEAST_MEMORY_MB = 256;

/** A reason to leave a request to the origin. */
class Left extends Error {
  constructor(reason, counted = true) {
    super(reason);
    this.counted = counted;
  }
}

export class Inference {
  /** `folder` is the URL of the package. */
  constructor(folder) {
    this.folder = folder;
    this.about = JSON.parse(readFileSync(new URL('model.json', folder), 'utf8'));
    if (this.about.schema !== SCHEMA) throw new Error(`model.json: ${SCHEMA} is required, not ${String(this.about.schema)}`);
    this.fallbacks = new Fallbacks();
    this.answered = { full: 0, static: 0 };
    this.tokens = new Tokens(JSON.parse(this.file('tokens').toString('utf8')), Tokenizer);
    this.encoder = new Encoder(this.about, folder);
  }

  file(name) {
    return readWhole(this.about.files[name], this.folder);
  }

  /** The static tier's table: read when it is first asked. */
  get table() {
    this.opened ??= new StaticTable(this.file('static'));
    return this.opened;
  }

  /** A response, or null where the origin answers. Refusals of the caller are thrown. */
  async answer(question, request, context) {
    try {
      const asked = this.read(question, request);
      const tag = asked.reads ? cachedBefore(asked) : null;
      if (tag && matches(request.headers?.['if-none-match'], tag)) return unchanged(asked, tag);
      const began = performance.now();
      const encoded = this.encode(asked);
      const [tier, vectors] = await this.embed(asked, encoded, context);
      const took = performance.now() - began;
      const total = encoded.reduce((sum, ids) => sum + ids.length, 0);
      this.answered[tier] += 1;
      return reply(asked, { tier, about: this.about }, vectors, { tokens: total, took });
    } catch (error) {
      if (typeof error?.status === 'number') throw error;
      return this.leave(error, question);
    }
  }

  /** Counts why the origin answers. The static tier has no origin: its caller is told. */
  leave(error, { tier }) {
    const reason = error instanceof Left ? error.message : 'error';
    if (!(error instanceof Left) || error.counted) this.fallbacks.count(reason, error);
    if (tier !== 'static') return null;
    if (reason === 'response-too-large' || reason === 'too-many-tokens') {
      const message = `${reason.replaceAll('-', ' ')}: send fewer or shorter texts, or encoding base64`;
      throw Object.assign(new Error(message), { status: 413, code: 'RESPONSE_TOO_LARGE' });
    }
    return null;
  }

  /** What is asked, where the edge can answer it. */
  read({ texts, tier = 'full', value }, request) {
    const { headers = {}, method } = request;
    if (KEYS.some((name) => Object.hasOwn(headers, name))) throw new Left('key', false);
    if (!texts || !texts.every((text) => text.isWellFormed())) throw new Left('invalid', false);
    const unknown = Object.keys(value).some((name) => !SETTINGS.has(name) && !TEXT_FIELDS.has(name));
    if (unknown || LEFT_TO_ORIGIN.some((name) => Object.hasOwn(value, name))) throw new Left('settings', false);
    const { files, model, version, static_version: staticVersion } = this.about;
    const own = tier === 'static' ? staticVersion : version;
    if (tier === 'static' && !files.static) throw new Left('no-static-tier', false);
    if (value.model !== undefined && value.model !== model) throw new Left('model', false);
    const named = typeof value.version === 'string' && value.version.length >= NAMED;
    if (value.version !== undefined && !(named && own.startsWith(value.version))) throw new Left('version', false);
    const encoding = value.encoding ?? 'float';
    const [normalize, truncate] = [flag(value.normalize), flag(value.truncate)];
    if (!['float', 'base64'].includes(encoding) || normalize === null || truncate === null) throw new Left('settings', false);
    if (!fits(texts.length, this.about.dimension, { encoding, normalize })) throw new Left('response-too-large');
    return { texts, tier, encoding, normalize, truncate, named, reads: method !== 'POST', head: method === 'HEAD', version: own };
  }

  encode({ texts, truncate }) {
    const encoded = texts.map((text) => this.tokens.encode(text));
    if (!truncate && encoded.some(({ cut }) => cut)) throw new Left('too-long', false);
    const all = encoded.map(({ ids }) => ids);
    if (all.reduce((sum, ids) => sum + ids.length, 0) > MAX_TOKENS) throw new Left('too-many-tokens');
    return all;
  }

  /** The tier that answers, and its vectors. */
  async embed({ tier, named, normalize }, encoded, context) {
    if (tier === 'static' || (tier === 'any' && !named && this.about.files.static && !this.fullIsReady(encoded, context))) {
      if (!normalize) throw new Left('settings', false);
      if (tier === 'any') this.encoder.warm();
      return ['static', checked(encoded.map((ids) => this.table.embed(ids)))];
    }
    if (!enoughMemory()) throw new Left('memory');
    if (!this.encoder.fits(encoded, context)) throw new Left('time');
    const vectors = await this.encoder.embed(encoded);
    return ['full', checked(normalize ? vectors.map(unit) : vectors)];
  }

  fullIsReady(encoded, context) {
    return enoughMemory() && this.encoder.ready && this.encoder.fits(encoded, context);
  }

  health() {
    const { model, version, static_version: staticVersion } = this.about;
    const tiers = this.about.files.static ? ['full', 'static'] : ['full'];
    return {
      mode: 'inference',
      model,
      model_version: version,
      ...(staticVersion ? { static_version: staticVersion } : {}),
      tiers,
      loaded: this.encoder.ready,
      answered: this.answered,
      fallbacks: this.fallbacks.counts,
    };
  }
}

/** true unless it says false; null where it is neither. */
function flag(value) {
  if (value === undefined || value === null || value === true || value === 'true' || value === '1') return true;
  return value === false || value === 'false' || value === '0' ? false : null;
}

function checked(vectors) {
  if (!vectors.every(sound)) throw new Left('not-finite');
  return vectors;
}

function enoughMemory() {
  return Number(process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE ?? Infinity) >= LEAST_MEMORY_MB;
}

function matches(headers, tag) {
  const known = (headers ?? []).map(({ value }) => value).join(',');
  return known.split(',').some((one) => [tag, '*'].includes(one.trim().replace(/^W\//, '')));
}
