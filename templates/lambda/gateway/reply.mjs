// Responses in the format of CloudFront. A response to GET has the same bytes for the same request and model: what differs between
// invocations (duration, location) is only in headers. A response to POST has it in the body as well, because it is not cached.

import { createHash } from 'node:crypto';

import { base64, json } from './inference/vectors.mjs';

// CloudFront rejects a larger generated response (headers and body together).
const MAX_RESPONSE_BYTES = 1_048_576;
const HEADERS_AT_MOST = 4096;
const JSON_TYPE = [{ key: 'Content-Type', value: 'application/json' }];
const FOR_EVER = 'public, max-age=31536000, immutable';
const FOR_NOW = 'public, max-age=300';
// `any` may have been answered by the static tier before the model was loaded: that response must not be cached in place of the model's.
const NEVER = 'no-store';

/** Whether so many vectors fit into a response. A number below 1 takes 13 characters at most, with its comma; another one 24. */
export function fits(count, dimension, { encoding, normalize }) {
  const floats = (normalize ? 13 : 24) * dimension + 3;
  const each = encoding === 'base64' ? 4 * Math.ceil((4 * dimension) / 3) + 3 : floats;
  return count * each + HEADERS_AT_MOST <= MAX_RESPONSE_BYTES;
}

/** The ETag of a request whose answer never changes. For `any`, the tier that answers is not known in advance. */
export function cachedBefore(asked) {
  return asked.tier === 'any' ? null : tagged(asked, asked.tier, asked.version);
}

function tagged({ texts, encoding, normalize }, tier, version) {
  const question = JSON.stringify([version, tier, encoding, normalize, texts]);
  return `"${createHash('sha256').update(question).digest('hex').slice(0, 32)}"`;
}

/** 304, for a copy that is still right. */
export function unchanged(asked, tag) {
  return { status: '304', statusDescription: 'Not Modified', headers: kept(age(asked, asked.tier), tag) };
}

/** How long a cache keeps an answer. Every parameter is in its key (plans/week13.yaml), the tier among them. */
function age(asked, tier) {
  if (asked.tier === 'any' && tier === 'static') return NEVER;
  return asked.named ? FOR_EVER : FOR_NOW;
}

/** The response to what was asked, by the tier that answered. */
export function reply(asked, { tier, about }, vectors, { tokens, took }) {
  const { encoding, reads, head } = asked;
  const region = process.env.AWS_REGION ?? 'local';
  const milliseconds = Math.round(took * 100) / 100;
  const version = tier === 'static' ? about.static_version : about.version;
  const found = {
    'content-type': JSON_TYPE,
    'cache-control': [{ key: 'Cache-Control', value: reads ? age(asked, tier) : NEVER }],
    'x-akidb-edge-location': [{ key: 'X-Akidb-Edge-Location', value: region }],
    'x-akidb-inference-time-ms': [{ key: 'X-Akidb-Inference-Time-Ms', value: String(milliseconds) }],
    'x-akidb-model': [{ key: 'X-Akidb-Model', value: `${about.model}@${version}` }],
    'x-akidb-tier': [{ key: 'X-Akidb-Tier', value: tier }],
  };
  if (reads) found.etag = [{ key: 'ETag', value: tagged(asked, tier, version) }];
  if (head) return { status: '200', statusDescription: 'OK', headers: found };
  const lists = encoding === 'base64' ? JSON.stringify(vectors.map(base64)) : `[${vectors.map(json).join(',')}]`;
  const fields = `"model":${JSON.stringify(about.model)},"version":"${version}","tier":"${tier}","dimension":${about.dimension}`;
  const run = reads ? '' : `"edge_location":${JSON.stringify(region)},"inference_time_ms":${milliseconds},`;
  const duration = reads ? '' : `,"duration_ms":${milliseconds}`;
  const body = `{"embeddings":${lists},${fields},${run}"usage":{"total_tokens":${tokens}${duration}}}`;
  return { status: '200', statusDescription: 'OK', headers: found, body };
}

/** What a cache does with an answer. */
function kept(value, tag) {
  return { ...(tag ? { etag: [{ key: 'ETag', value: tag }] } : {}), 'cache-control': [{ key: 'Cache-Control', value }] };
}
