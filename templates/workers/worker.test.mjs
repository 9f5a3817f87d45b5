// node --test templates/workers/: the worker in Cloudflare's runtime, with a table of a few rows.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { started } from './local.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const FIXTURE = path.join(HERE, '../../tests/fixtures/edge');
const EXPECTED = JSON.parse(fs.readFileSync(path.join(FIXTURE, 'expected.json'), 'utf8'));
const VERSION = '0f1e2d3c4b5a6978';
const require = createRequire(import.meta.url);
const installed = fs.existsSync(path.join(HERE, 'node_modules/@cloudflare/workerd-linux-64'));
const options = { skip: installed ? false : 'templates/workers/install has not been run' };
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'akidb-worker-package-'));
const ending = [];
after(async () => {
  for (const end of ending) await end();
  fs.rmSync(folder, { recursive: true });
});

/** A package as `edge package` creates it, without the files that only the model needs. */
function packaged() {
  fs.cpSync(path.join(HERE, '../lambda/gateway/inference'), path.join(folder, 'inference'), { recursive: true });
  const tokenizer = 'node_modules/@huggingface/tokenizers/dist/tokenizers.mjs';
  fs.mkdirSync(path.join(folder, path.dirname(tokenizer)), { recursive: true });
  fs.copyFileSync(path.join(HERE, tokenizer), path.join(folder, tokenizer));
  const files = {};
  for (const [kind, name] of [['tokens', 'tokens.json'], ['static', 'static.bin']]) {
    const bytes = fs.readFileSync(path.join(FIXTURE, name));
    fs.writeFileSync(path.join(folder, name), bytes);
    files[kind] = { path: name, sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length };
  }
  fs.writeFileSync(path.join(folder, 'model.json'), JSON.stringify({ model: 'tiny', dimension: 8, version: 'f'.repeat(16), static_version: VERSION, files }));
}

async function worker(origin) {
  packaged();
  const server = await started({ folder, origin, spawn, require });
  ending.push(server.end);
  return server;
}

async function asked(server, body) {
  const answer = await fetch(`${server.base}/api/v1/embed`, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) });
  return [answer, await answer.json()];
}

test('ids and vectors are those of the reference', options, async () => {
  const server = await worker();
  const [answer, body] = await asked(server, { inputs: EXPECTED.texts.map(({ text }) => text), tier: 'static', ids: true });
  assert.equal(answer.status, 200);
  assert.deepEqual([answer.headers.get('x-akidb-tier'), answer.headers.get('x-akidb-model')], ['static', `tiny@${VERSION}`]);
  assert.deepEqual([body.tier, body.dimension, body.version], ['static', 8, VERSION]);
  EXPECTED.texts.forEach(({ ids, static: wanted }, at) => {
    assert.deepEqual(body.ids[at], ids);
    wanted.forEach((value, column) => assert.ok(Math.abs(body.embeddings[at][column] - value) < 1e-5, `${at}: ${body.embeddings[at]}`));
  });
});

test('what the table cannot answer is refused without an origin', options, async () => {
  const server = await worker();
  for (const body of [{ text: 'a' }, { text: 'a', tier: 'full' }, { text: 'a', tier: 'static', model: 'other' }, { text: 'a', tier: 'static', dimensions: 4 }]) {
    const [answer, { code }] = await asked(server, body);
    assert.deepEqual([answer.status, code], [404, 'TIER_NOT_AVAILABLE'], JSON.stringify(body));
  }
  for (const body of ['{', '[]', { text: 1, tier: 'static' }, { texts: [], tier: 'static' }, { text: 'a', tier: 'quick' }, { text: 'a', input: 'b', tier: 'static' }, { text: '\ud800', tier: 'static' }]) {
    assert.equal((await asked(server, body))[0].status, 400, JSON.stringify(body));
  }
  assert.equal((await asked(server, JSON.stringify({ text: 'x'.repeat(1_100_000), tier: 'static' })))[0].status, 413);
});

test('requests for the model go to the origin, without the tier', options, async () => {
  const seen = [];
  const origin = http.createServer((request, response) => {
    let body = '';
    request.on('data', (data) => { body += data; });
    request.on('end', () => {
      seen.push([request.method, request.url, body]);
      response.setHeader('content-type', 'application/json');
      response.end('{"from":"origin"}');
    });
  });
  await new Promise((done) => origin.listen(0, '127.0.0.1', done));
  ending.push(async () => origin.close());
  const server = await worker(`http://127.0.0.1:${origin.address().port}`);
  assert.deepEqual((await asked(server, { text: 'a', tier: 'full' }))[1], { from: 'origin' });
  assert.equal((await asked(server, { text: 'a', tier: 'any' }))[1].tier, 'static');
  assert.deepEqual(await (await fetch(`${server.base}/models?x=1`)).json(), { from: 'origin' });
  assert.deepEqual(seen, [['POST', '/api/v1/embed', '{"text":"a"}'], ['GET', '/models?x=1', '']]);
});
