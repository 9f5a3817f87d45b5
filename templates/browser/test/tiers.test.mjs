// The static tier, the check of a backend, and what a folder says of its model.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { StaticTable } from '../../lambda/gateway/inference/static.mjs';
import { agrees, compare, cosine, floats, prefersGpu } from '../src/check.js';
import { pooled } from '../src/full-tier.js';
import { settingsOf, smallFiles } from '../src/settings.js';
import { StaticTier } from '../src/static-tier.js';

const TABLE = new Uint8Array(readFileSync(new URL('../../../tests/fixtures/edge/static.bin', import.meta.url)));
const PART = 100;

// The file in parts, as a download gives them.
function download(bytes) {
  const parts = Array.from({ length: Math.ceil(bytes.length / PART) }, (_, at) => ({ from: at * PART, size: Math.min(PART, bytes.length - at * PART) }));
  const asked = new Set();
  const part = async (at) => { asked.add(at); return bytes.slice(parts[at].from, parts[at].from + parts[at].size); };
  return { file: { size: bytes.length }, parts, part, asked, whole: async () => bytes };
}

test('single rows give the vector of the whole table', async () => {
  const whole = new StaticTable(TABLE);
  const source = download(TABLE);
  const tier = await StaticTier.open(source);
  for (const ids of [[2, 3], [2, 5, 5, 9, 3], [whole.tokens - 1]]) assert.deepEqual(await tier.vector(ids), whole.embed(ids));
  assert.ok(source.asked.size < source.parts.length, 'not all parts are needed');
  await tier.keep();
  assert.deepEqual(await tier.vector([2, 5, 3]), whole.embed([2, 5, 3]));
});

test('a table that is damaged or of another tokenizer is refused', async () => {
  const other = TABLE.slice();
  other[0] = 66;
  await assert.rejects(StaticTier.open(download(other)), { code: 'STATIC_TABLE' });
  await assert.rejects(StaticTier.open(download(TABLE.slice(0, -4))), { code: 'STATIC_TABLE' });
  const tier = await StaticTier.open(download(TABLE));
  await assert.rejects(tier.vector([1_000_000]), { code: 'STATIC_TABLE' });
});

test('a backend that is wrong in one text, or in one id, is not trusted', () => {
  const vector = Float32Array.from([0.6, 0.8]);
  const expected = [{ ids: [1, 2], vector }, { ids: [3], vector }];
  const good = [{ ids: [1, 2], vector }, { ids: [3], vector }];
  assert.ok(agrees(compare(expected, good)));
  assert.ok(!agrees(compare(expected, [good[0], { ids: [4], vector }])), 'another id');
  assert.ok(!agrees(compare(expected, [good[0], { ids: [3], vector: Float32Array.from([0.8, 0.6]) }])), 'another direction');
  assert.ok(!agrees(compare(expected, [good[0], { ids: [3], vector: Float32Array.from([NaN, NaN]) }])), 'no numbers');
  assert.ok(!agrees(compare(expected, [good[0]])), 'one is missing');
  assert.ok(!agrees(compare([], [])), 'nothing was compared');
  assert.equal(cosine(vector, vector), 1);
});

test('WebGPU has to be right and a tenth faster', () => {
  const right = { texts: 10, ids: 10, mean: 1, worst: 1 };
  assert.ok(prefersGpu(right, [5, 5, 5], [8, 8, 8]));
  assert.ok(!prefersGpu(right, [7.5, 7.5, 7.5], [8, 8, 8]), 'hardly faster');
  assert.ok(!prefersGpu({ ...right, worst: 0.9 }, [1, 1, 1], [8, 8, 8]), 'fast and wrong');
  assert.ok(!prefersGpu({ ...right, ids: 9 }, [1, 1, 1], [8, 8, 8]), 'other ids');
});

test('states become one vector as the folder says', () => {
  const states = Float32Array.from([1, 4, 3, 2]);
  assert.deepEqual([...pooled(states, 2, 2, 'mean')], [2, 3]);
  assert.deepEqual([...pooled(states, 2, 2, 'cls')], [1, 4]);
  assert.deepEqual([...pooled(states, 2, 2, 'max')], [3, 4]);
  assert.deepEqual([...floats(Buffer.from(Float32Array.from([0.5, -1]).buffer).toString('base64'))], [0.5, -1]);
});

test('the longest text, the pooling and the last step come from the files', () => {
  const modules = (...names) => names.map((name) => ({ type: `sentence_transformers.models.${name}` }));
  const documents = {
    'config.json': { max_position_embeddings: 512 }, 'sentence_bert_config.json': { max_seq_length: 256 },
    'modules.json': modules('Transformer', 'Pooling', 'Normalize'), '1_Pooling/config.json': { pooling_mode_mean_tokens: true, pooling_mode_cls_token: false },
  };
  assert.deepEqual(settingsOf(documents), { longest: 256, mode: 'mean', normalize: true, lowercase: false });
  const roberta = { ...documents, 'sentence_bert_config.json': {}, 'config.json': { model_type: 'roberta', max_position_embeddings: 34, pad_token_id: 1 } };
  assert.equal(settingsOf(roberta).longest, 32);
  assert.equal(settingsOf({ ...documents, '1_Pooling/config.json': { pooling_mode: 'cls' }, 'modules.json': modules('Transformer', 'Pooling') }).mode, 'cls');
  for (const [path, value] of [
    ['modules.json', modules('Transformer', 'Pooling', 'Dense', 'Normalize')],
    ['1_Pooling/config.json', { pooling_mode_mean_tokens: true, pooling_mode_max_tokens: true }],
    ['1_Pooling/config.json', { pooling_mode_lasttoken: true }],
    ['config_sentence_transformers.json', { default_prompt_name: 'query' }],
  ]) assert.throws(() => settingsOf({ ...documents, [path]: value }), { code: 'UNSUPPORTED_MODEL' });
  assert.deepEqual(smallFiles(new Map([['tokens.json', 1], ['tokenizer.json', 1], ['config.json', 1]])), ['tokens.json', 'config.json']);
});
