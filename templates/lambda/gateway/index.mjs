// Lambda@Edge, event origin-request, with the body included. It answers its own health path, rejects malformed embed requests
// before they reach an origin, embeds if the package contains a model (inference.mjs), and forwards everything else. Deployed as
// this file alone, it is the gateway: it validates and does not embed. CloudFront invokes it on cache misses only: a cached answer
// to GET is not computed again.
//
// Lambda@Edge has no environment variables, so the limits are constants here. Node.js 20 and newer.

import { existsSync } from 'node:fs';

export const VERSION = '2.0.0';

const HEALTH_PATH = '/edge/health';
// The list of the server (src/serve/http/mod.rs), where a test compares the two. Azure's clients name the model in the URL.
const EMBED_PATHS = new Set([
  '/api/v1/embed',
  '/v1/embeddings',
  '/embeddings',
  '/api/v1/embeddings',
  '/openai/v1/embeddings',
  '/embed',
  '/embed_all',
]);
const DEPLOYMENT = /^\/openai\/deployments\/[^/]+\/embeddings$/;
// The path that this function answers itself, and whose answers to GET are cached. Its parameters are those of the server
// (src/serve/http/embed.rs; a test compares the lists) and `tier`, which only the edge has. The cache policy of plans/week13.yaml
// has every parameter in the key, because CloudFront accepts a list of at most ten; unknown parameters are rejected here.
const CACHEABLE_PATH = '/api/v1/embed';
const QUERY_PARAMETERS = new Set([
  'dimensions',
  'encoding',
  'input',
  'inputs',
  'model',
  'normalize',
  'prompt_name',
  'tier',
  'truncate',
  'truncation_direction',
  'version',
]);
const TIERS = new Set(['full', 'static', 'any']);
const TEXT_PARAMETERS = new Set(['input', 'inputs']);
// Headers of one viewer that would change an answer which is cached for all viewers: with a deadline of 1 ms, CloudFront would
// cache a 504 for 10 s. CORS of cached answers belongs in the response headers policy of the behavior.
const NOT_IN_KEY = ['x-request-timeout-ms', 'origin'];
const TEXT_FIELDS = ['inputs', 'texts', 'input', 'text'];

const MAX_TEXTS = 256;
const MAX_CHARACTERS = 32_000; // of one text, in Unicode code points
const MAX_BODY_BYTES = 1_048_576; // CloudFront cuts an origin-request body here
const MODEL = /^[A-Za-z0-9._/-]{1,128}$/;
const MODEL_FORM = 'model is 1 to 128 letters, digits, dots, underscores, slashes and dashes';
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

export const DESCRIPTIONS = {
  200: 'OK',
  304: 'Not Modified',
  400: 'Bad Request',
  404: 'Not Found',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
};

/** A request that is turned away. */
class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const bad = (message) => new Refusal(400, 'BAD_REQUEST', message);
const tooLarge = (message) => new Refusal(413, 'BODY_TOO_LARGE', message);

/** What embeds here; null in a package without a model. */
const inference = await opened(new URL('.', import.meta.url));

async function opened(folder) {
  if (!existsSync(new URL('model.json', folder))) return null;
  try {
    const { Inference } = await import('./inference.mjs');
    return new Inference(folder);
  } catch (error) {
    // If the package cannot be loaded, the origin answers the requests.
    process.stdout.write(`${JSON.stringify({ level: 'error', event: 'package', error: String(error?.message ?? error) })}\n`);
    return null;
  }
}

/** The CloudFront event handler: a request to pass on, or a response. */
export const handler = async (event, context) => {
  const cf = event?.Records?.[0]?.cf;
  const request = cf?.request;
  if (!request) throw new Error('not a CloudFront request event');
  const { method, uri } = request;
  if (uri === HEALTH_PATH && (method === 'GET' || method === 'HEAD')) return health(method);
  const reads = method === 'GET' || method === 'HEAD';
  if (!(reads ? plain(uri) === CACHEABLE_PATH : method === 'POST' && takesTexts(uri))) return request;
  try {
    const question = reads ? checkQuery(request.querystring) : posted(request);
    const own = plain(uri) === CACHEABLE_PATH;
    const answer = inference && own ? await inference.answer(question, request, context) : null;
    if (answer) return answer;
    if (own && question.tier === 'static') throw new Refusal(404, 'TIER_NOT_AVAILABLE', NO_STATIC);
    return reads ? cacheable(request, question) : withoutTier(request, question, own);
  } catch (error) {
    // An unexpected error (such as a parser that runs out of stack) is caused by the request, too.
    const refusal = typeof error?.status === 'number' ? error : bad('the body cannot be read');
    return respond(refusal.status, {
      error: refusal.message,
      code: refusal.code,
      request_id: cf.config?.requestId ?? null,
    });
  }
};

const NO_STATIC = 'the static tier is not available here: use tier=full or tier=any';

/** Slashes too many, which clients make of an address and a path, are left out, as the server does it. */
function plain(uri) {
  return typeof uri === 'string' ? `/${uri.split('/').filter(Boolean).join('/')}` : '';
}

function takesTexts(uri) {
  const path = plain(uri);
  return EMBED_PATHS.has(path) || DEPLOYMENT.test(path);
}

/** A request whose answer may be kept: its parameters are known, and nothing outside the cache key changes the answer. */
function cacheable(request, question) {
  const headers = request.headers ?? {};
  const taken = NOT_IN_KEY.some((name) => Object.hasOwn(headers, name));
  if (!taken && question.tier === undefined) return request;
  const kept = Object.entries(headers).filter(([name]) => !NOT_IN_KEY.includes(name));
  // The origin has one tier and does not accept this parameter.
  const parts = request.querystring.split('&').filter((part) => unescaped(part.split('=', 1)[0]) !== 'tier');
  return { ...request, querystring: parts.join('&'), headers: Object.fromEntries(kept) };
}

/** A body for the origin, which knows no tiers. */
function withoutTier(request, question, own) {
  if (!own || question.tier === undefined) return request;
  const { tier, ...rest } = question.value;
  const data = Buffer.from(JSON.stringify(rest), 'utf8').toString('base64');
  return { ...request, body: { ...request.body, action: 'replace', encoding: 'base64', data } };
}

/** The question of a query, whose parameters are all known. */
function checkQuery(querystring) {
  const texts = [];
  const given = new Map();
  for (const part of (typeof querystring === 'string' ? querystring : '').split('&').filter(Boolean)) {
    const [name, ...rest] = part.split('=');
    const [key, value] = [unescaped(name), unescaped(rest.join('='))];
    if (!QUERY_PARAMETERS.has(key)) throw bad(`unknown parameter; the parameters are ${[...QUERY_PARAMETERS].join(', ')}`);
    if (TEXT_PARAMETERS.has(key)) texts.push(value);
    else if (given.has(key)) throw bad(`${key} is given twice`);
    else given.set(key, value);
  }
  if (texts.length === 0) throw bad(`input is missing: ${CACHEABLE_PATH}?model=NAME&input=TEXT`);
  checkTexts('input', texts);
  if (given.has('model') && !MODEL.test(given.get('model'))) throw bad(MODEL_FORM);
  checkTier(given.get('tier'));
  return { texts, tier: given.get('tier'), value: Object.fromEntries(given) };
}

/** The question of a body. */
function posted(request) {
  checkMediaType(request.headers);
  const value = readJson(request.body);
  const texts = checkEmbedRequest(value);
  if (plain(request.uri) === CACHEABLE_PATH) checkTier(value.tier);
  return { texts, tier: value.tier, value };
}

function checkTier(tier) {
  if (tier !== undefined && !TIERS.has(tier)) throw bad('tier is full, static or any');
}

/** Percent signs as the server reads them: one without two digits stands for itself. */
function unescaped(text) {
  try {
    return decodeURIComponent(text.replaceAll('+', ' ').replace(/%(?![0-9A-Fa-f]{2})/g, '%25'));
  } catch {
    throw bad('the query is not UTF-8');
  }
}

function health(method) {
  const more = inference ? inference.health() : {};
  const response = respond(200, { status: 'ok', version: VERSION, region: process.env.AWS_REGION ?? null, ...more });
  if (method === 'HEAD') delete response.body;
  return response;
}

function respond(status, body) {
  return {
    status: String(status),
    statusDescription: DESCRIPTIONS[status],
    headers: {
      'content-type': [{ key: 'Content-Type', value: 'application/json; charset=utf-8' }],
      'cache-control': [{ key: 'Cache-Control', value: 'no-store' }],
    },
    body: JSON.stringify(body),
  };
}

function checkMediaType(headers) {
  const value = headers?.['content-type']?.[0]?.value;
  const media = typeof value === 'string' ? value.split(';', 1)[0].trim().toLowerCase() : '';
  if (media !== 'application/json') {
    throw new Refusal(415, 'UNSUPPORTED_MEDIA_TYPE', 'send the body as application/json');
  }
}

function readJson(body) {
  if (body?.inputTruncated === true) throw tooLarge(`the body is larger than ${MAX_BODY_BYTES} bytes`);
  if (typeof body?.data !== 'string' || body.data === '') throw bad('the body is missing');
  const bytes = readBytes(body);
  if (bytes.length > MAX_BODY_BYTES) throw tooLarge(`the body is larger than ${MAX_BODY_BYTES} bytes`);
  let text;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw bad('the body is not UTF-8');
  }
  try {
    return JSON.parse(text);
  } catch {
    throw bad('the body is not JSON');
  }
}

function readBytes({ data, encoding }) {
  if (encoding === 'text') return Buffer.from(data, 'utf8');
  // Buffer ignores characters that are not base64, so a damaged body would be decoded as a different one.
  if (data.length % 4 !== 0 || !BASE64.test(data)) throw bad('the body is not base64');
  return Buffer.from(data, 'base64');
}

function checkEmbedRequest(value) {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw bad('the body is not a JSON object');
  const given = TEXT_FIELDS.filter((field) => Object.hasOwn(value, field));
  if (given.length === 0) throw bad(`one of ${TEXT_FIELDS.join(', ')} is required`);
  for (const field of given) checkTexts(field, value[field]);
  if (Object.hasOwn(value, 'model') && !(typeof value.model === 'string' && MODEL.test(value.model))) {
    throw bad(MODEL_FORM);
  }
  // Several fields are a mistake, which the origin explains.
  return given.length === 1 ? [value[given[0]]].flat() : null;
}

function checkTexts(field, value) {
  const texts = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(texts) || texts.length === 0) throw bad(`${field} is a text, or a list of at least one text`);
  if (texts.length > MAX_TEXTS) {
    throw new Refusal(400, 'TOO_MANY_TEXTS', `${field} has ${texts.length} texts, at most ${MAX_TEXTS} are accepted`);
  }
  texts.forEach((text, at) => {
    if (typeof text !== 'string') throw bad(`${field}[${at}] is not a text`);
    if (isTooLong(text)) {
      throw new Refusal(400, 'INPUT_TOO_LONG', `${field}[${at}] is longer than ${MAX_CHARACTERS} characters`);
    }
  });
}

/** JavaScript counts UTF-16 units, a character may take two: only between the two bounds is there anything to count. */
function isTooLong(text) {
  if (text.length <= MAX_CHARACTERS) return false;
  return text.length > 2 * MAX_CHARACTERS || [...text].length > MAX_CHARACTERS;
}
