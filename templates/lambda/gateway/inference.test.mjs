// node --test templates/lambda/gateway/: the function with a package around it, as it lies in the zip, and a model of 20 kB.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import zlib from 'node:zlib';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const MODULES = path.join(HERE, '../node_modules');
const FIXTURE = path.join(HERE, '../../../tests/fixtures/edge');
const EXPECTED = JSON.parse(fs.readFileSync(path.join(FIXTURE, 'expected.json'), 'utf8'));
const CODE = ['index.mjs', 'inference.mjs', 'encoder.mjs', 'fallbacks.mjs', 'reply.mjs', 'inference'];
const VERSION = 'a1b2c3d4e5f60718';
const STATIC_VERSION = '0f1e2d3c4b5a6978';

const installed = fs.existsSync(path.join(MODULES, 'onnxruntime-node'));
const options = { skip: installed ? false : 'templates/lambda/install has not been run' };
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'akidb-edge-'));
after(() => fs.rmSync(work, { recursive: true }));

/** A package of its own for each test; `change` may damage it before it is loaded. */
async function packaged(name, change = () => {}) {
  const folder = path.join(work, name);
  fs.mkdirSync(path.join(folder, 'model'), { recursive: true });
  for (const one of CODE) fs.cpSync(path.join(HERE, one), path.join(folder, one), { recursive: true });
  fs.symlinkSync(MODULES, path.join(folder, 'node_modules'));
  const files = {};
  for (const [kind, file] of [['graph', 'graph.onnx'], ['tokens', 'tokens.json'], ['static', 'static.bin']]) {
    const bytes = fs.readFileSync(path.join(FIXTURE, file));
    fs.writeFileSync(path.join(folder, 'model', file), bytes);
    files[kind] = { path: `model/${file}`, sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length, crc32: zlib.crc32?.(bytes) };
  }
  const about = { schema: 'akidb-edge/edge-package/v1', model: 'tiny', dimension: EXPECTED.dimension, version: VERSION, static_version: STATIC_VERSION, files };
  change(folder, about);
  fs.writeFileSync(path.join(folder, 'model.json'), JSON.stringify(about));
  const { handler } = await import(pathToFileURL(path.join(folder, 'index.mjs')));
  return handler;
}

function eventOf(request) {
  return { Records: [{ cf: { config: { eventType: 'origin-request', requestId: 'req-1' }, request: { querystring: '', headers: {}, ...request } } }] };
}

function post(value, { headers = {}, uri = '/api/v1/embed' } = {}) {
  const data = Buffer.from(JSON.stringify(value)).toString('base64');
  const body = { inputTruncated: false, action: 'read-only', encoding: 'base64', data };
  return eventOf({ method: 'POST', uri, headers: { 'content-type': [{ value: 'application/json' }], ...headers }, body });
}

const get = (querystring, { method = 'GET', headers = {} } = {}) => eventOf({ method, uri: '/api/v1/embed', querystring, headers });
const header = (answer, name) => answer.headers[name]?.[0].value;
const health = async (handler) => JSON.parse((await handler(eventOf({ method: 'GET', uri: '/edge/health' }))).body);

function cosine(one, other) {
  const dot = (a, b) => a.reduce((sum, value, at) => sum + value * b[at], 0);
  return dot(one, other) / Math.sqrt(dot(one, one) * dot(other, other));
}

function near(found, wanted) {
  assert.equal(found.length, wanted.length);
  assert.ok(cosine(found, wanted) > 0.99999, `${found} is not ${wanted}`);
}

async function quietly(work) {
  const [lines, write] = [[], process.stdout.write];
  process.stdout.write = (line, ...rest) => (String(line).startsWith('{"_aws"') || String(line).startsWith('{"level"') ? lines.push(JSON.parse(line)) : write.call(process.stdout, line, ...rest));
  try {
    await work();
  } finally {
    process.stdout.write = write;
  }
  return lines;
}

test('each tier gives the vectors of the reference, and says which it is', options, async () => {
  const handler = await packaged('vectors');
  process.env.AWS_REGION = 'eu-central-1';
  const texts = EXPECTED.texts.map(({ text }) => text);
  for (const [tier, version] of [['full', VERSION], ['static', STATIC_VERSION]]) {
    const answer = await handler(post({ texts, model: 'tiny', tier }));
    assert.equal(answer.status, '200');
    assert.equal(header(answer, 'x-akidb-tier'), tier);
    assert.equal(header(answer, 'x-akidb-model'), `tiny@${version}`);
    assert.equal(header(answer, 'x-akidb-edge-location'), 'eu-central-1');
    assert.ok(Number(header(answer, 'x-akidb-inference-time-ms')) >= 0);
    assert.equal(header(answer, 'cache-control'), 'no-store');
    const body = JSON.parse(answer.body);
    assert.deepEqual([body.model, body.version, body.tier, body.dimension, body.edge_location], ['tiny', version, tier, 8, 'eu-central-1']);
    assert.equal(body.inference_time_ms, Number(header(answer, 'x-akidb-inference-time-ms')));
    assert.equal(body.usage.total_tokens, EXPECTED.texts.reduce((sum, { ids }) => sum + ids.length, 0));
    body.embeddings.forEach((vector, at) => near(vector, EXPECTED.texts[at][tier]));
  }
  const { answered, fallbacks, mode } = await health(handler);
  assert.deepEqual([answered, fallbacks, mode], [{ full: 1, static: 1 }, {}, 'inference']);
});

test('a text alone, among others, in base64 and not normalized is the same vector', options, async () => {
  const handler = await packaged('forms');
  const ask = async (value) => JSON.parse((await handler(post(value))).body).embeddings;
  const [alone] = await ask({ input: 'the cat' });
  const several = await ask({ inputs: ['the The THE', 'the cat', ''] });
  assert.deepEqual(several[1], alone);
  const [text] = await ask({ text: 'the cat', encoding: 'base64' });
  const bytes = Buffer.from(text, 'base64');
  near(Array.from({ length: 8 }, (_, at) => bytes.readFloatLE(4 * at)), alone);
  const [long] = await ask({ text: 'the cat', normalize: false });
  near(long, alone);
  assert.ok(Math.abs(Math.hypot(...long) - 1) > 0.01, 'its length is not 1');
});

test('any is the static tier while the model is not loaded, labeled so, and the model afterwards', options, async () => {
  const handler = await packaged('any');
  const first = await handler(post({ texts: ['the cat'], tier: 'any' }));
  assert.equal(header(first, 'x-akidb-tier'), 'static');
  for (let turn = 0; !(await health(handler)).loaded; turn += 1) {
    assert.ok(turn < 2000, 'the model is loaded in the background');
    await new Promise(setImmediate);
  }
  const second = await handler(post({ texts: ['the cat'], tier: 'any' }));
  assert.equal(header(second, 'x-akidb-tier'), 'full');
  // Whoever names a version wants that model's vector.
  const other = await packaged('named');
  assert.equal(header(await other(post({ texts: ['the cat'], tier: 'any', version: VERSION })), 'x-akidb-tier'), 'full');
});

test('an answer to GET is the same bytes each time, with a tag', options, async () => {
  const handler = await packaged('get');
  const one = await handler(get('model=tiny&input=the+cat'));
  const two = await handler(get('input=the%20cat&model=tiny&tier=full'));
  assert.equal(one.status, '200');
  assert.equal(one.body, two.body);
  assert.equal(header(one, 'etag'), header(two, 'etag'));
  assert.match(header(one, 'etag'), /^"[0-9a-f]{32}"$/);
  assert.equal(header(one, 'cache-control'), 'public, max-age=300');
  assert.deepEqual(Object.keys(JSON.parse(one.body)), ['embeddings', 'model', 'version', 'tier', 'dimension', 'usage']);
  const posted = JSON.parse((await handler(post({ input: 'the cat' }))).body);
  assert.deepEqual(JSON.parse(one.body).embeddings, posted.embeddings);

  const again = await handler(get('input=the+cat', { headers: { 'if-none-match': [{ value: `"x", W/${header(one, 'etag')}` }] } }));
  assert.deepEqual([again.status, again.body, header(again, 'etag')], ['304', undefined, header(one, 'etag')]);
  const head = await handler(get('input=the+cat', { method: 'HEAD' }));
  assert.deepEqual([head.status, head.body, header(head, 'etag')], ['200', undefined, header(one, 'etag')]);
  const named = await handler(get(`input=the+cat&version=${VERSION.slice(0, 12)}`));
  assert.equal(header(named, 'cache-control'), 'public, max-age=31536000, immutable');
  const quick = await handler(get('input=the+cat&tier=static'));
  assert.notEqual(header(quick, 'etag'), header(one, 'etag'));
  // The tier is in the cache's key; what answers `any` is another tier a moment later.
  assert.equal(header(quick, 'cache-control'), 'public, max-age=300');
  const known = await handler(get(`input=the+cat&tier=static&version=${STATIC_VERSION}`));
  assert.equal(header(known, 'cache-control'), 'public, max-age=31536000, immutable');
  assert.equal(header(await (await packaged('get-any'))(get('input=the+cat&tier=any')), 'cache-control'), 'no-store');
});

test('what only the origin can answer goes there, without the tier', options, async () => {
  const handler = await packaged('origin');
  for (const more of [{ model: 'other' }, { version: 'ffffffffffff' }, { version: VERSION.slice(0, 11) }, { dimensions: 4 }, { prompt_name: 'q' },
    { truncation_direction: 'left' }, { encoding: 'int8' }, { normalize: 'perhaps' }, { unknown: 1 }, { texts: ['b'] }, { input: '\ud800' }]) {
    const event = post({ input: 'a', ...more });
    assert.equal(await handler(event), event.Records[0].cf.request, JSON.stringify(more));
  }
  const long = post({ input: 'the '.repeat(60), truncate: false });
  assert.equal(await handler(long), long.Records[0].cf.request);
  for (const name of ['authorization', 'api-key', 'x-api-key']) {
    const event = post({ input: 'a' }, { headers: { [name]: [{ value: 'secret' }] } });
    assert.equal(await handler(event), event.Records[0].cf.request, name);
  }
  const openai = post({ input: 'a', model: 'tiny' }, { uri: '/v1/embeddings' });
  assert.equal(await handler(openai), openai.Records[0].cf.request);
  const sent = await handler(post({ input: 'a', model: 'other', tier: 'any' }));
  assert.equal(sent.body.action, 'replace');
  assert.deepEqual(JSON.parse(Buffer.from(sent.body.data, 'base64')), { input: 'a', model: 'other' });
  assert.equal((await handler(get('input=a&tier=full&model=other'))).querystring, 'input=a&model=other');
  assert.deepEqual((await health(handler)).fallbacks, {}, 'these are not failures');
});

test('the static tier never stands in for the model, nor the origin for it', options, async () => {
  const handler = await packaged('refused');
  const unknown = await handler(post({ input: 'a', tier: 'quick' }));
  assert.deepEqual([unknown.status, JSON.parse(unknown.body).code], ['400', 'BAD_REQUEST']);
  for (const more of [{ model: 'other' }, { prompt_name: 'q' }]) {
    const answer = await handler(post({ input: 'a', tier: 'static', ...more }));
    assert.deepEqual([answer.status, JSON.parse(answer.body).code], ['404', 'TIER_NOT_AVAILABLE']);
  }
  const bare = await packaged('no-static', (_, about) => delete about.files.static);
  const answer = await bare(get('input=a&tier=static'));
  assert.deepEqual([answer.status, JSON.parse(answer.body).code], ['404', 'TIER_NOT_AVAILABLE']);
  assert.equal((await bare(post({ input: 'a', tier: 'any' }))).status, '200');
});

test('a damaged graph gives no vector: the origin answers, counted', options, async () => {
  const handler = await packaged('damaged', (folder) => {
    const file = path.join(folder, 'model/graph.onnx');
    const bytes = fs.readFileSync(file);
    bytes[bytes.length >> 1] ^= 1;
    fs.writeFileSync(file, bytes);
  });
  const event = post({ input: 'a secret text' });
  const lines = await quietly(async () => assert.equal(await handler(event), event.Records[0].cf.request));
  assert.equal(lines.length, 1);
  assert.deepEqual([lines[0].Reason, lines[0].Fallbacks], ['error', 1]);
  assert.match(lines[0].error, /graph\.onnx is damaged/);
  assert.deepEqual(lines[0]._aws.CloudWatchMetrics[0].Dimensions, [['Function', 'Reason']]);
  assert.ok(!JSON.stringify(lines).includes('secret'));
  assert.equal((await handler(post({ input: 'a', tier: 'static' }))).status, '200');
  assert.deepEqual((await health(handler)).fallbacks, { error: 1 });
});

test('a flipped bit in the table or the tokens gives no vector of that part', options, async () => {
  const flip = (file) => (folder) => {
    const [name, bytes] = [path.join(folder, 'model', file), fs.readFileSync(path.join(FIXTURE, file))];
    // In the table a column of some token, in the tokens a letter of some piece: both files can still be read.
    bytes[bytes.length - 5] ^= 1;
    fs.writeFileSync(name, bytes);
  };
  const handler = await packaged('flipped', flip('static.bin'));
  const lines = await quietly(async () => {
    const answer = await handler(post({ input: 'a', tier: 'static' }));
    assert.deepEqual([answer.status, JSON.parse(answer.body).code], ['404', 'TIER_NOT_AVAILABLE']);
  });
  assert.match(lines[0].error, /static\.bin is damaged/);
  assert.equal((await handler(post({ input: 'a' }))).status, '200', 'the model is whole');
  let other;
  const said = await quietly(async () => { other = await packaged('flipped-tokens', flip('tokens.json')); });
  assert.match(JSON.stringify(said[0]), /tokens\.json is damaged/);
  const event = post({ input: 'a' });
  assert.equal(await other(event), event.Records[0].cf.request);
});

test('a table that is cut off answers nothing', options, async () => {
  const handler = await packaged('cut', (folder) => fs.truncateSync(path.join(folder, 'model/static.bin'), 900));
  await quietly(async () => {
    const answer = await handler(post({ input: 'a', tier: 'static' }));
    assert.deepEqual([answer.status, JSON.parse(answer.body).code], ['404', 'TIER_NOT_AVAILABLE']);
  });
  assert.equal((await handler(post({ input: 'a' }))).status, '200');
  assert.deepEqual((await health(handler)).fallbacks, { error: 1 });
});

test('a package that cannot be loaded passes everything on', options, async () => {
  let handler;
  const lines = await quietly(async () => {
    handler = await packaged('broken', (folder) => fs.writeFileSync(path.join(folder, 'model/tokens.json'), '{'));
  });
  assert.equal(lines[0].event, 'package');
  const event = post({ input: 'a' });
  assert.equal(await handler(event), event.Records[0].cf.request);
  assert.equal((await health(handler)).mode, undefined);
});

test('little time or memory: the origin, or the static tier where that is allowed', options, async () => {
  const handler = await packaged('time');
  const soon = { getRemainingTimeInMillis: () => 100 };
  const event = post({ input: 'a' });
  await quietly(async () => assert.equal(await handler(event, soon), event.Records[0].cf.request));
  assert.equal(header(await handler(post({ input: 'a', tier: 'any' }), soon), 'x-akidb-tier'), 'static');
  process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE = '128';
  await quietly(async () => assert.equal(await handler(event), event.Records[0].cf.request));
  delete process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE;
  assert.deepEqual((await health(handler)).fallbacks, { time: 1, memory: 1 });
});

test('more than a response holds', options, async () => {
  const handler = await packaged('large', (_, about) => Object.assign(about, { dimension: 384 }));
  const texts = Array(210).fill('a');
  const event = post({ texts });
  await quietly(async () => assert.equal(await handler(event), event.Records[0].cf.request, 'the origin has no such limit'));
  await quietly(async () => {
    const answer = await handler(post({ texts, tier: 'static' }));
    assert.deepEqual([answer.status, JSON.parse(answer.body).code], ['413', 'RESPONSE_TOO_LARGE']);
  });
  const many = await packaged('many', (folder, { files }) => {
    const file = path.join(folder, 'model/tokens.json');
    const text = JSON.stringify({ ...JSON.parse(fs.readFileSync(file, 'utf8')), max_tokens: 64 });
    fs.writeFileSync(file, text);
    Object.assign(files.tokens, { crc32: zlib.crc32?.(text), sha256: createHash('sha256').update(text).digest('hex') });
  });
  const long = Array(256).fill('the '.repeat(80));
  await quietly(async () => {
    const answer = await many(post({ texts: long, tier: 'static' }));
    assert.match(JSON.parse(answer.body).error, /too many tokens/);
  });
});
