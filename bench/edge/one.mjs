// One program of run.mjs in a process of its own: prints its times in milliseconds and its memory as JSON.

import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [name, folder, transformers, model] = process.argv.slice(2);
// 10 tokens with [CLS] and [SEP], and 128.
const SHORT = 'The quick brown fox jumps over the lazy';
const LONG = Array(126).fill('word').join(' ');
const TIMES = { short: 400, long: 60 };

const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const median = (values) => values.toSorted((one, other) => one - other)[values.length >> 1];

function post(text, tier) {
  const data = Buffer.from(JSON.stringify({ inputs: [text], tier })).toString('base64');
  const request = { method: 'POST', uri: '/api/v1/embed', querystring: '', headers: { 'content-type': [{ value: 'application/json' }] }, body: { inputTruncated: false, action: 'read-only', encoding: 'base64', data } };
  return { Records: [{ cf: { config: { requestId: 'bench' }, request } }] };
}

async function byFunction(tier) {
  const { handler } = await import(pathToFileURL(path.join(folder, 'index.mjs')));
  return async (text) => {
    const answer = await handler(post(text, tier));
    if (answer.status !== '200') throw new Error(JSON.stringify(answer).slice(0, 300));
  };
}

/** ONNX Runtime alone, on ids that are there already. */
async function raw() {
  const ort = createRequire(path.join(folder, 'x.js'))('onnxruntime-node');
  const { files } = JSON.parse(fs.readFileSync(path.join(folder, 'model.json'), 'utf8'));
  const options = { executionProviders: ['cpu'], executionMode: 'sequential', graphOptimizationLevel: 'all', intraOpNumThreads: 1, interOpNumThreads: 1 };
  const session = await ort.InferenceSession.create(path.join(folder, files.graph.path), options);
  return async (text) => {
    const count = text === SHORT ? 10 : 128;
    const ids = BigInt64Array.from({ length: count }, (_, at) => (at === 0 ? 101n : at === count - 1 ? 102n : 2003n));
    const tensor = (values) => new ort.Tensor('int64', values, [1, count]);
    await session.run({ input_ids: tensor(ids), attention_mask: tensor(new BigInt64Array(count).fill(1n)), token_type_ids: tensor(new BigInt64Array(count)) });
  };
}

/** transformers.js on the same graph, with its own tokenizer and pooling. */
async function byTransformers() {
  const { env, pipeline } = await import(createRequire(path.join(transformers, 'x.js')).resolve('@huggingface/transformers').replace('.cjs', '.mjs'));
  Object.assign(env, { allowRemoteModels: false, localModelPath: path.dirname(model) });
  const session_options = { intraOpNumThreads: 1, interOpNumThreads: 1 };
  const embed = await pipeline('feature-extraction', path.basename(model), { dtype: 'int8', session_options });
  return (text) => embed(text, { pooling: 'mean', normalize: true });
}

const PROGRAMS = { raw, function: () => byFunction('full'), static: () => byFunction('static'), transformers: byTransformers };

/** Both warm in one process, in turn: what else the machine does meets both alike. */
async function paired() {
  const [own, bare] = [await byFunction('full'), await raw()];
  const found = {};
  for (const [tokens, text, turns] of [[10, SHORT, 1000], [128, LONG, 200]]) {
    for (let turn = 0; turn < 20; turn += 1) await own(text).then(() => bare(text));
    const times = { raw: [], function: [] };
    for (let turn = 0; turn < turns; turn += 1) {
      for (const [who, embed] of turn % 2 ? [['raw', bare], ['function', own]] : [['function', own], ['raw', bare]]) {
        const before = cpu();
        await embed(text);
        times[who].push(cpu() - before);
      }
    }
    for (const [who, all] of Object.entries(times)) {
      const sorted = all.toSorted((one, other) => one - other);
      found[`${who} ${tokens} p50`] = sorted[turns >> 1];
      found[`${who} ${tokens} p10`] = sorted[Math.floor(turns / 10)];
    }
    for (const mark of ['p50', 'p10']) found[`ratio ${tokens} ${mark}`] = found[`function ${tokens} ${mark}`] / found[`raw ${tokens} ${mark}`];
  }
  return found;
}

if (name === 'paired') {
  console.log(JSON.stringify(await paired()));
  process.exit(0);
}

const [began, used] = [performance.now(), cpu()];
const embed = await PROGRAMS[name]();
await embed(SHORT);
const cold = { 'cold ms': performance.now() - began, 'cold ms cpu': cpu() - used };
const warm = {};
for (const [length, text] of [['short', SHORT], ['long', LONG]]) {
  const [wall, own] = [[], []];
  for (let turn = 0; turn < TIMES[length]; turn += 1) {
    const [start, before] = [performance.now(), cpu()];
    await embed(text);
    own.push(cpu() - before);
    wall.push(performance.now() - start);
  }
  const tokens = length === 'short' ? 10 : 128;
  Object.assign(warm, { [`${tokens} tokens ms`]: median(wall), [`${tokens} ms cpu`]: median(own) });
}
const peak = Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]) / 1e3;
console.log(JSON.stringify({ ...cold, ...warm, 'RSS MB': peak }));
