// Starts the embedding server on a free port, sends REST requests, and stops it.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';

const READY_MS = 300_000;
const AT_A_TIME = 32;

async function freePort() {
  const server = net.createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

async function ready(base, child, log) {
  const end = Date.now() + READY_MS;
  while (Date.now() < end) {
    if (child.exitCode !== null) throw new Error(`the server ended: ${log().slice(-300)}`);
    const answer = await fetch(`${base}/ready`).catch(() => null);
    if (answer?.ok) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error('the server is not ready');
}

async function ask(base, address, body) {
  const answer = await fetch(`${base}${address}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${address} was answered ${answer.status}: ${text.slice(0, 300)}`);
  return JSON.parse(text);
}

const sha256 = (file) => createHash('sha256').update(fs.readFileSync(file)).digest('hex');

/** The ids as the model reads them: the last one stays, since it ends the text. */
const cut = (ids, longest) => (ids.length <= longest ? ids : [...ids.slice(0, longest - 1), ids.at(-1)]);

/** The file of a graph, by its variant. */
function graph(folder, more) {
  return path.join(folder, more.includes('int8') ? 'model_int8.onnx' : 'model.onnx');
}

export async function fromServer(texts, { program, models, model, onnxruntime }, more) {
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const library = onnxruntime ? ['--onnxruntime', onnxruntime] : [];
  const words = ['serve', '--http', `127.0.0.1:${port}`, '--grpc', 'off', '--models', models, '--model', model, '--vector-cache', '0', ...library, ...more];
  let said = '';
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { said = (said + data).slice(-20_000); });
  try {
    await ready(base, child, () => said);
    const folder = path.join(models, model);
    const longest = JSON.parse(fs.readFileSync(path.join(folder, 'sentence_bert_config.json'), 'utf8')).max_seq_length;
    const [ids, vectors] = [[], []];
    let version;
    for (let at = 0; at < texts.length; at += AT_A_TIME) {
      const part = texts.slice(at, at + AT_A_TIME);
      const answer = await ask(base, '/api/v1/embed', { model, inputs: part, encoding: 'base64' });
      vectors.push(...answer.embeddings);
      version = answer.version;
      const read = (await ask(base, '/tokenize', { inputs: part })).map((tokens) => cut(tokens.map(({ id }) => id), longest));
      ids.push(...read);
      // This route does not truncate; the count in the response is that of the tokens which the model read.
      const count = read.reduce((sum, one) => sum + one.length, 0);
      if (count !== answer.usage.total_tokens) throw new Error(`${count} ids for ${answer.usage.total_tokens} tokens`);
    }
    const files = { graph: sha256(graph(folder, more)), tokenizer: sha256(path.join(folder, 'tokenizer.json')) };
    return { model, version, files, runs_on: more.includes('cuda') ? 'cuda' : 'cpu', ids, vectors };
  } finally {
    child.kill('SIGTERM');
    await new Promise((done) => (child.exitCode === null ? child.on('exit', done) : done()));
  }
}
