// Bundles the page into a folder that a bucket or `serve --demo` can serve as it is. Names in assets/ carry the hash of their content.
//
//   node build.mjs GOAL

import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const goal = process.argv[2];
const runtime = join(here, 'node_modules/onnxruntime-web/dist');
// Of page and glue, without runtime, tokenizer and model.
const MOST = 50_000;
const sizes = {};

function write(name, content) {
  const bytes = Buffer.from(content);
  const digest = createHash('sha256').update(bytes);
  const sha256 = digest.digest();
  const [, stem, ending] = /^([^.]+)\.(.+)$/.exec(name);
  const path = `assets/${stem}.${sha256.toString('hex').slice(0, 16)}.${ending}`;
  writeFileSync(join(goal, path), bytes);
  sizes[path] = bytes.length;
  return { path, integrity: `sha256-${sha256.toString('base64')}` };
}

async function bundled(name, define = {}, format = 'esm') {
  const { outputFiles, metafile } = await build({
    entryPoints: [join(here, `src/${name}.js`)], bundle: true, minify: true, format, write: false, metafile: true, target: 'es2022',
    define, legalComments: 'none', charset: 'utf8', logLevel: 'warning',
  });
  const inputs = Object.values(metafile.outputs)[0].inputs;
  const foreign = Object.entries(inputs).filter(([path]) => path.includes('node_modules')).reduce((sum, [, { bytesInOutput }]) => sum + bytesInOutput, 0);
  return { text: outputFiles[0].text, own: outputFiles[0].text.length - foreign };
}

// ONNX Runtime as it comes from npm; its WebAssembly in gzip.
function backend(name, module, glue, wasm) {
  const binary = write(`${name}.wasm.gz`, gzipSync(readFileSync(join(runtime, wasm)), { level: 9 }));
  return {
    ort: write(`${name}.mjs`, readFileSync(join(runtime, module))).path,
    glue: write(`${name}-glue.mjs`, readFileSync(join(runtime, glue))).path,
    wasm: binary.path,
    integrity: binary.integrity,
  };
}

rmSync(goal, { recursive: true, force: true });
mkdirSync(join(goal, 'assets'), { recursive: true });
const worker = await bundled('worker');
const assets = {
  worker: write('worker.js', worker.text).path,
  wasm: backend('ort', 'ort.wasm.min.mjs', 'ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm'),
  webgpu: backend('ort-gpu', 'ort.jspi.min.mjs', 'ort-wasm-simd-threaded.jspi.mjs', 'ort-wasm-simd-threaded.jspi.wasm'),
};
const main = await bundled('main', { ASSETS: JSON.stringify(assets) });
const style = readFileSync(join(here, 'style.css'), 'utf8').replace(/\/\*.*?\*\//gs, '').replace(/\s+/g, ' ');
const names = { STYLE: write('style.css', style).path, MAIN: write('main.js', main.text).path, WORKER: assets.worker };
const html = readFileSync(join(here, 'index.html'), 'utf8').replace(/"(STYLE|MAIN|WORKER)"/g, (_, name) => `"${names[name]}"`);
const sw = await bundled('sw', {}, 'iife');
writeFileSync(join(goal, 'index.html'), html);
writeFileSync(join(goal, 'sw.js'), sw.text);
// ONNX Runtime's files name their license (MIT) in their first line.
cpSync(join(here, 'node_modules/@huggingface/tokenizers/LICENSE'), join(goal, 'licenses.txt'));

const own = html.length + style.length + main.text.length + worker.own + sw.text.length;
process.stderr.write(`page: ${own} bytes of page and glue, ${worker.text.length - worker.own} of tokenizer, in ${goal}\n`);
if (own > MOST) {
  process.stderr.write(`page: more than the ${MOST} bytes that page and glue may have\n`);
  process.exit(1);
}
