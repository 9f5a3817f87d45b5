// node --test templates/certify/: the responses of a tier come out whole, however long they are.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ANSWERS = path.join(path.dirname(fileURLToPath(import.meta.url)), 'answers.mjs');
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'akidb-edge-'));
after(() => fs.rmSync(work, { recursive: true }));

// A package as far as package.mjs looks at it; something of it keeps the program from ending by itself.
const FILES = {
  'model.json': JSON.stringify({ model: 'm', version: 'v', static_version: 's', files: { static: { sha256: 'a' }, tokens: { sha256: 'b', path: 'tokens.json' } } }),
  'tokens.json': '{}',
  'index.mjs': `setInterval(() => {}, 1000);
    export const handler = async (event) => {
      const { inputs } = JSON.parse(Buffer.from(event.Records[0].cf.request.body.data, 'base64').toString('utf8'));
      return { status: '200', body: JSON.stringify({ embeddings: inputs.map(() => 'A'.repeat(2048)) }) };
    };`,
  'inference/tokens.mjs': 'export class Tokens { encode(text) { return { ids: [101, text.length, 102] }; } }',
  'node_modules/@huggingface/tokenizers/dist/tokenizers.mjs': 'export class Tokenizer {}',
};

test('more than a pipe holds comes out whole, and the program ends although something is open', () => {
  for (const [name, text] of Object.entries(FILES)) {
    fs.mkdirSync(path.dirname(path.join(work, name)), { recursive: true });
    fs.writeFileSync(path.join(work, name), text);
  }
  const texts = Array.from({ length: 700 }, (_, at) => 'x'.repeat(at));
  const run = spawnSync(process.execPath, [ANSWERS, '--tier', 'static', '--package', work], { input: JSON.stringify(texts), encoding: 'utf8', maxBuffer: 1 << 26 });
  assert.equal(run.status, 0, run.stderr);
  const found = JSON.parse(run.stdout);
  assert.deepEqual([found.tier, found.version, found.vectors.length, found.ids[699]], ['static', 's', 700, [101, 699, 102]]);
});
