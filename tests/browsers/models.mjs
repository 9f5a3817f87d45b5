// The models of the tests, in folders as a bucket would have them: the real one, and two tiny ones of the fixtures with what
// exporter/browser.py adds. And one that a page cannot run.

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');
export const PYTHON = process.env.AKIDB_EDGE_PYTHON ?? join(ROOT, 'exporter/.venv/bin/python');
export const REAL = 'all-MiniLM-L6-v2';
const FIXTURES = join(ROOT, 'tests/fixtures/embedding');
// What week 13 publishes of the model.
const PUBLISHED = ['model_int8.onnx', 'tokenizer.json', 'tokenizer_config.json', 'config.json', 'modules.json', 'sentence_bert_config.json',
  '1_Pooling/config.json', 'tokens.json', 'static.bin', 'chunks.json', 'selfcheck.json'];

// The real model, as week 13 publishes it.
export function published() {
  const real = join(ROOT, 'models', REAL);
  for (const [name, by] of [['model_int8.onnx', 'exporter/build'], ['selfcheck.json', 'exporter/build'], ['static.bin', 'exporter/build --edge'], ['tokens.json', 'exporter/build --edge']]) {
    if (!existsSync(join(real, name))) throw new Error(`${join(real, name)} is not there; run ${by}`);
  }
  return { folder: real, left: (path) => PUBLISHED.includes(path) };
}

export function models() {
  const scratch = mkdtempSync(join(tmpdir(), 'akidb-browsers-'));
  const tiny = (name) => {
    const folder = join(scratch, name);
    cpSync(join(FIXTURES, name), folder, { recursive: true });
    execFileSync(PYTHON, [join(ROOT, 'exporter/browser.py'), folder], { stdio: 'inherit' });
    return { folder };
  };
  return {
    scratch,
    list: {
      [REAL]: published(),
      tiny: tiny('tiny'),
      'tiny-cls': tiny('tiny-cls'),
      // Its Dense layer is more than this page applies.
      'arch-bert-dense': { folder: join(FIXTURES, 'arch-bert-dense') },
    },
  };
}

// What onnxruntime says to texts.
export function reference(folder, texts) {
  const said = execFileSync(PYTHON, [join(import.meta.dirname, 'reference.py'), folder], { input: JSON.stringify(texts), maxBuffer: 1 << 28 });
  return JSON.parse(said);
}

// What the fixture's own authors say: `{text, ids, vector}`.
export const expected = (name) => JSON.parse(readFileSync(join(FIXTURES, name, 'expected.json'), 'utf8')).texts;
export const golden = () => JSON.parse(readFileSync(join(FIXTURES, 'golden.json'), 'utf8')).texts;
