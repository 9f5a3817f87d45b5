// Runs the function at the edge from its unpacked package: vectors through its handler, ids from its tokenizer.

import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const AT_A_TIME = 32;

function event(texts, tier) {
  const data = Buffer.from(JSON.stringify({ inputs: texts, tier, encoding: 'base64' })).toString('base64');
  const headers = { 'content-type': [{ key: 'Content-Type', value: 'application/json' }] };
  const body = { inputTruncated: false, action: 'read-only', encoding: 'base64', data };
  return { Records: [{ cf: { config: { requestId: 'certify' }, request: { method: 'POST', uri: '/api/v1/embed', querystring: '', headers, body } } }] };
}

export async function fromPackage(texts, folder, tier) {
  const root = path.resolve(folder);
  const load = (name) => import(pathToFileURL(path.join(root, name)));
  const about = JSON.parse(fs.readFileSync(path.join(root, 'model.json'), 'utf8'));
  const { handler } = await load('index.mjs');
  const { Tokens } = await load('inference/tokens.mjs');
  const { Tokenizer } = await load('node_modules/@huggingface/tokenizers/dist/tokenizers.mjs');
  const tokens = new Tokens(JSON.parse(fs.readFileSync(path.join(root, about.files.tokens.path), 'utf8')), Tokenizer);
  const vectors = [];
  for (let at = 0; at < texts.length; at += AT_A_TIME) {
    const answer = await handler(event(texts.slice(at, at + AT_A_TIME), tier));
    if (answer.status !== '200') throw new Error(`the function did not answer texts ${at} and further: ${answer.body ?? 'it forwarded them'}`);
    vectors.push(...JSON.parse(answer.body).embeddings);
  }
  const files = tier === 'static' ? ['static', 'tokens'] : ['graph', 'tokens', 'runtime'];
  return {
    model: about.model,
    version: tier === 'static' ? about.static_version : about.version,
    files: Object.fromEntries(files.map((name) => [name, about.files[name].sha256])),
    runs_on: `node ${process.versions.node}`,
    ids: texts.map((text) => tokens.encode(text).ids),
    vectors,
  };
}
