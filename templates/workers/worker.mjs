// The static tier as a Cloudflare worker: the same table, tokens and code as in the package of the function at the edge. The full
// model needs more memory than a worker has, so requests for it are forwarded to the origin.
//
// Bindings: ORIGIN (text), the URL of the origin; without it, only requests for the static tier are answered.

import { Tokenizer } from '@huggingface/tokenizers';

import { StaticTable } from './inference/static.mjs';
import { Tokens } from './inference/tokens.mjs';
import { base64, json, sound } from './inference/vectors.mjs';
import about from './model.json';
import tokensDocument from './tokens.json';
import staticTable from './static.bin';

const PATH = '/api/v1/embed';
const MAX_TEXTS = 256;
const MAX_CHARACTERS = 32_000;
const MAX_BODY_BYTES = 1_048_576;
const TIERS = ['full', 'static', 'any'];
const TEXT_FIELDS = ['inputs', 'texts', 'input', 'text'];
const OWN = new Set(['model', 'version', 'tier', 'encoding', 'ids', ...TEXT_FIELDS]);

let loaded;
/** Read at the first request, which a new worker gets within milliseconds of its start. */
const parts = () => (loaded ??= { tokens: new Tokens(tokensDocument, Tokenizer), table: new StaticTable(new Uint8Array(staticTable)) });

class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    Object.assign(this, { status, code });
  }
}

const bad = (message) => new Refusal(400, 'BAD_REQUEST', message);

function answered(status, body, headers = {}) {
  return new Response(body, { status, headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers } });
}

async function bodyOf(request) {
  const declared = Number(request.headers.get('content-length') ?? 0);
  const bytes = declared > MAX_BODY_BYTES ? null : await request.arrayBuffer();
  if (!bytes || bytes.byteLength > MAX_BODY_BYTES) throw new Refusal(413, 'BODY_TOO_LARGE', `the body is larger than ${MAX_BODY_BYTES} bytes`);
  let value;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw bad('the body is not JSON in UTF-8');
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw bad('the body is not a JSON object');
  return value;
}

function textsOf(value) {
  const given = TEXT_FIELDS.filter((field) => Object.hasOwn(value, field));
  if (given.length !== 1) throw bad(`one of ${TEXT_FIELDS.join(', ')} is required`);
  const texts = [value[given[0]]].flat();
  if (texts.length === 0 || texts.length > MAX_TEXTS) throw new Refusal(400, 'TOO_MANY_TEXTS', `1 to ${MAX_TEXTS} texts are accepted`);
  texts.forEach((text, at) => {
    if (typeof text !== 'string' || !text.isWellFormed()) throw bad(`${given[0]}[${at}] is not a text`);
    if (text.length > MAX_CHARACTERS && [...text].length > MAX_CHARACTERS) throw new Refusal(400, 'INPUT_TOO_LONG', `${given[0]}[${at}] is too long`);
  });
  return texts;
}

/** Whether the table answers: the tier is wanted, and nothing is asked that only the model can do. */
function isOwn(value) {
  const version = value.version === undefined || (value.version.length >= 12 && about.static_version.startsWith(value.version));
  return Object.keys(value).every((name) => OWN.has(name)) && (value.model ?? about.model) === about.model && version;
}

async function embed(request, env) {
  const copy = request.clone();
  const value = await bodyOf(request);
  const tier = value.tier ?? 'full';
  if (!TIERS.includes(tier)) throw bad('tier is full, static or any');
  const texts = textsOf(value);
  if (tier === 'full' || !isOwn(value)) {
    if (tier === 'static' || !env.ORIGIN) throw new Refusal(404, 'TIER_NOT_AVAILABLE', 'this tier is not available here');
    const { tier: _, ...rest } = value;
    return fetch(new Request(new URL(PATH, env.ORIGIN), { method: 'POST', headers: copy.headers, body: JSON.stringify(rest) }));
  }
  const { tokens, table } = parts();
  const began = performance.now();
  const ids = texts.map((text) => tokens.encode(text).ids);
  const vectors = ids.map((one) => table.embed(one));
  if (!vectors.every(sound)) throw new Refusal(500, 'NOT_FINITE', 'the vector of this text is not finite');
  const took = performance.now() - began;
  const lists = value.encoding === 'base64' ? JSON.stringify(vectors.map(base64)) : `[${vectors.map(json).join(',')}]`;
  const rest = {
    model: about.model,
    version: about.static_version,
    tier: 'static',
    dimension: about.dimension,
    usage: { total_tokens: ids.reduce((sum, one) => sum + one.length, 0) },
    ...(value.ids === true ? { ids, files: { static: about.files.static.sha256, tokens: about.files.tokens.sha256 } } : {}),
  };
  const headers = { 'x-akidb-tier': 'static', 'x-akidb-model': `${about.model}@${about.static_version}`, 'x-akidb-inference-time-ms': took.toFixed(2) };
  return answered(200, `{"embeddings":${lists},${JSON.stringify(rest).slice(1)}`, headers);
}

export default {
  async fetch(request, env = {}) {
    const { pathname } = new URL(request.url);
    if (pathname === '/edge/health') return answered(200, JSON.stringify({ status: 'ok', mode: 'static', model: about.model, static_version: about.static_version }));
    if (pathname !== PATH || request.method !== 'POST') {
      return env.ORIGIN ? fetch(new Request(new URL(pathname + new URL(request.url).search, env.ORIGIN), request)) : answered(404, '{"error":"unknown path","code":"NOT_FOUND"}');
    }
    try {
      return await embed(request, env);
    } catch (error) {
      if (error instanceof Refusal) return answered(error.status, JSON.stringify({ error: error.message, code: error.code }));
      return answered(500, JSON.stringify({ error: 'the request was not answered', code: 'INTERNAL' }));
    }
  },
};
