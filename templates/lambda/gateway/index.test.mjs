// node --test templates/lambda/gateway/

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { VERSION, handler } from './index.mjs';

const base64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64');

function eventOf({ method = 'POST', uri = '/api/v1/embed', querystring = '', type = 'application/json', body } = {}) {
  const request = { clientIp: '203.0.113.9', method, uri, querystring, headers: { host: [{ key: 'Host', value: 'x' }] } };
  if (type) request.headers['content-type'] = [{ key: 'Content-Type', value: type }];
  if (body !== undefined) request.body = body;
  return { Records: [{ cf: { config: { eventType: 'origin-request', requestId: 'req-1' }, request } }] };
}

const bodyOf = (value) => ({ inputTruncated: false, action: 'read-only', encoding: 'base64', data: base64(value) });
const embed = (value, more) => eventOf({ body: bodyOf(value), ...more });

async function passes(event) {
  const before = structuredClone(event.Records[0].cf.request);
  const answer = await handler(event);
  assert.equal(answer, event.Records[0].cf.request, `not passed on: ${JSON.stringify(answer)}`);
  assert.deepEqual(answer, before, 'passed on unchanged');
}

async function refused(event, status, code) {
  const answer = await handler(event);
  assert.equal(answer.status, status);
  assert.equal(typeof answer.status, 'string');
  assert.equal(answer.headers['cache-control'][0].value, 'no-store');
  const body = JSON.parse(answer.body);
  assert.deepEqual(Object.keys(body), ['error', 'code', 'request_id']);
  assert.equal(body.code, code);
  assert.equal(body.request_id, 'req-1');
  assert.ok(body.error.length > 0 && body.error.length < 200, 'a short reason that does not echo the input');
}

test('health is answered at the edge', async () => {
  process.env.AWS_REGION = 'eu-central-1';
  const answer = await handler(eventOf({ method: 'GET', uri: '/edge/health', type: null }));
  assert.equal(answer.status, '200');
  assert.deepEqual(JSON.parse(answer.body), { status: 'ok', version: VERSION, region: 'eu-central-1' });
  assert.equal(answer.headers['cache-control'][0].value, 'no-store');
  const head = await handler(eventOf({ method: 'HEAD', uri: '/edge/health', type: null }));
  assert.equal(head.status, '200');
  assert.equal(head.body, undefined);
});

test('everything else goes on unchanged', async () => {
  await passes(eventOf({ method: 'GET', uri: '/models/x', type: null }));
  await passes(eventOf({ method: 'GET', uri: '/v1/embeddings', querystring: 'a=b', type: null }));
  await passes(eventOf({ method: 'OPTIONS', uri: '/v1/embeddings', type: null }));
  await passes(eventOf({ method: 'POST', uri: '/edge/health', type: null }));
  await passes(eventOf({ method: 'POST', uri: '/api/v1/search', type: 'text/plain', body: bodyOf('no JSON') }));
  await passes(eventOf({ method: 'GET', uri: '/edge/healthy', type: null }));
});

test('good embed requests pass', async () => {
  await passes(embed({ inputs: ['a', 'b'], model: 'sentence-transformers/all-MiniLM-L6-v2' }));
  await passes(embed({ texts: ['a'] }, { uri: '/v1/embeddings' }));
  await passes(embed({ text: 'a' }));
  await passes(embed({ input: 'one text', encoding_format: 'float' }, { type: 'Application/JSON; charset=UTF-8' }));
  await passes(embed({ inputs: Array(256).fill('x') }));
  await passes(embed({ inputs: ['x'.repeat(32_000)] }));
  await passes(embed({ inputs: ['\u{1F600}'.repeat(32_000)] }));
  await passes(embed({ inputs: ['prüfen 検索'] }));
  await passes(eventOf({ body: { inputTruncated: false, encoding: 'text', data: '{"input":"a"}' } }));
});

test('every address of embeddings is looked at, however its slashes are', async () => {
  for (const uri of [
    '/api/v1/embed',
    '/v1/embeddings',
    '/embeddings',
    '/api/v1/embeddings',
    '/openai/v1/embeddings',
    '/openai/deployments/text-embedding-3-small/embeddings',
    '/embed',
    '/embed_all',
    '/v1/embeddings/',
    '//openai//v1/embeddings',
  ]) {
    await passes(embed({ input: 'a' }, { uri }));
    await refused(embed({ input: [] }, { uri }), '400', 'BAD_REQUEST');
  }
  // Texts that are compared, tokens and ids have other bodies.
  for (const uri of ['/', '/similarity', '/tokenize', '/decode', '/invocations', '/openai/deployments/a/b/embeddings', '/embedding']) {
    await passes(embed({ inputs: { source_sentence: 'a', sentences: ['b'] } }, { uri }));
  }
});

const read = (querystring, method = 'GET') => eventOf({ method, querystring, type: null });

test('what may be cached passes when its parameters are those of the key', async () => {
  await passes(read('input=hello'));
  await passes(read('model=sentence-transformers%2Fall-MiniLM-L6-v2&version=3f2a&input=hello+world&input=%F0%9F%9A%80', 'HEAD'));
  await passes(read('inputs=a&dimensions=4&encoding=base64&normalize=false&prompt_name=q&truncate=0&truncation_direction=left'));
  await passes(read('input=50%&input=%zz'));
  await passes(read(`input=${'x'.repeat(32_000)}`));
});

test('what is in no key, or cannot be an answer, goes no further', async () => {
  for (const query of ['', 'model=a', 'input=a&user=7', 'input=a&model=b&model=c', 'input=%FF', 'input=a&model=', 'input=a&model=a%20b', 'Input=a']) {
    await refused(read(query), '400', 'BAD_REQUEST');
  }
  await refused(read(`input=${'x'.repeat(32_001)}`), '400', 'INPUT_TOO_LONG');
  await refused(read(Array(257).fill('input=x').join('&')), '400', 'TOO_MANY_TEXTS');
});

test('nothing of one viewer changes an answer that all viewers get', async () => {
  const event = read('input=a');
  const { headers } = event.Records[0].cf.request;
  headers['x-request-timeout-ms'] = [{ key: 'X-Request-Timeout-Ms', value: '1' }];
  headers.origin = [{ key: 'Origin', value: 'https://other.example' }];
  headers.authorization = [{ key: 'Authorization', value: 'Bearer akidb_key' }];
  const sent = await handler(event);
  assert.deepEqual(Object.keys(sent.headers), ['host', 'authorization']);
  assert.equal(sent.querystring, 'input=a');
  const post = embed({ input: 'a' });
  post.Records[0].cf.request.headers['x-request-timeout-ms'] = [{ key: 'X-Request-Timeout-Ms', value: '1' }];
  await passes(post);
});

test('limits', async () => {
  await refused(embed({ inputs: Array(257).fill('x') }), '400', 'TOO_MANY_TEXTS');
  await refused(embed({ inputs: Array(100_000).fill(0) }), '400', 'TOO_MANY_TEXTS');
  await refused(embed({ inputs: ['a', 'x'.repeat(32_001)] }), '400', 'INPUT_TOO_LONG');
  await refused(embed({ input: '\u{1F600}'.repeat(32_001) }), '400', 'INPUT_TOO_LONG');
  await refused(embed({ input: 'x'.repeat(70_000) }), '400', 'INPUT_TOO_LONG');
  await refused(embed({ input: 'a', pad: 'x'.repeat(1_048_576) }), '413', 'BODY_TOO_LARGE');
  const cut = { ...bodyOf({ input: 'a' }), inputTruncated: true };
  await refused(eventOf({ body: cut }), '413', 'BODY_TOO_LARGE');
});

test('media type', async () => {
  for (const type of [null, '', 'text/plain', 'application/jsonp', 'application/x-www-form-urlencoded']) {
    await refused(embed({ input: 'a' }, { type }), '415', 'UNSUPPORTED_MEDIA_TYPE');
  }
  const odd = embed({ input: 'a' });
  odd.Records[0].cf.request.headers['content-type'] = [];
  await refused(odd, '415', 'UNSUPPORTED_MEDIA_TYPE');
});

test('bodies that are none', async () => {
  await refused(eventOf(), '400', 'BAD_REQUEST');
  await refused(eventOf({ body: null }), '400', 'BAD_REQUEST');
  await refused(eventOf({ body: { inputTruncated: false, encoding: 'base64', data: '' } }), '400', 'BAD_REQUEST');
  await refused(eventOf({ body: { inputTruncated: false, encoding: 'base64' } }), '400', 'BAD_REQUEST');
  for (const data of ['%%%%', 'eyJ', 'e30=e30=', 'e30\n', '====']) {
    await refused(eventOf({ body: { inputTruncated: false, encoding: 'base64', data } }), '400', 'BAD_REQUEST');
  }
});

test('bodies that are not an embed request', async () => {
  for (const text of ['', '{', 'null', '[]', '"a"', '7', '{"inputs":["a"]} x', '{"inputs":[\u0000]}', '{}']) {
    await refused(embed(text), '400', 'BAD_REQUEST');
  }
  for (const inputs of [[], null, 7, {}, { length: 1, 0: 'a' }, ['a', 7], ['a', null], [['a']], true]) {
    await refused(embed({ inputs }), '400', 'BAD_REQUEST');
  }
  await refused(embed({ inputs: ['a'], texts: 7 }), '400', 'BAD_REQUEST');
  for (const model of [7, null, '', 'a b', 'a\n', 'x'.repeat(129), ['a'], '../\\', 'modèle']) {
    await refused(embed({ input: 'a', model }), '400', 'BAD_REQUEST');
  }
});

test('hostile bodies', async () => {
  await refused(embed('{"__proto__":{"inputs":["a"]}}'), '400', 'BAD_REQUEST');
  await refused(embed('{"constructor":{"prototype":{"inputs":["a"]}}}'), '400', 'BAD_REQUEST');
  assert.equal({}.inputs, undefined, 'nothing was polluted');
  await passes(embed('{"__proto__":{"x":1},"input":"a"}'));
  await refused(embed(`${'['.repeat(500_000)}${']'.repeat(500_000)}`), '400', 'BAD_REQUEST');
  await refused(embed(`{"inputs":${'['.repeat(300_000)}${']'.repeat(300_000)}}`), '400', 'BAD_REQUEST');
  await refused(embed(`${'{"inputs":'.repeat(100_000)}`), '400', 'BAD_REQUEST');
  const invalid = Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]).toString('base64');
  await refused(eventOf({ body: { inputTruncated: false, encoding: 'base64', data: invalid } }), '400', 'BAD_REQUEST');
});

test('an event of another kind is an error, not an answer', async () => {
  for (const event of [undefined, null, {}, { Records: [] }, { Records: [{ cf: {} }] }]) {
    await assert.rejects(handler(event), /CloudFront/);
  }
});
