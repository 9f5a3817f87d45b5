// ONNX Runtime from our own origin. Its WebAssembly is stored compressed (CloudFront does not compress files above 10 MB) and cached
// uncompressed.

import { Fault } from './fault.js';

const CACHE = 'akidb-edge-runtime';
const MOST_THREADS = 4;
// A module with one SIMD instruction: (module (func (result v128) i32.const 0 i8x16.splat)).
const SIMD = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11]);

// Why the model cannot run here; undefined if it can.
export function lacking() {
  if (!globalThis.crypto?.subtle) return new Fault('INSECURE', 'This page was not loaded over HTTPS, so the browser cannot check hashes.', 'open it over https:// or on localhost');
  if (typeof WebAssembly === 'undefined') return new Fault('NO_WASM', 'This browser has no WebAssembly, or it is switched off.', 'the server embeds instead');
  if (!WebAssembly.validate(SIMD)) return new Fault('NO_SIMD', 'This browser has no WebAssembly SIMD.', 'update the browser; until then the server embeds');
  if (typeof DecompressionStream === 'undefined') return new Fault('NO_UNZIP', 'This browser cannot unpack the runtime.', 'update the browser; until then the server embeds');
  return null;
}

// Threads need shared memory, which only an isolated page has.
export function threads(wanted) {
  if (!globalThis.crossOriginIsolated || typeof SharedArrayBuffer === 'undefined') return 1;
  return Math.min(wanted ?? MOST_THREADS, navigator.hardwareConcurrency || 1);
}

async function unpacked({ wasm, integrity }) {
  const cache = await caches.open(CACHE).catch(() => null);
  const kept = await cache?.match(wasm).catch(() => null);
  if (kept) return kept.arrayBuffer();
  let response;
  try {
    response = await fetch(wasm, { integrity, cache: 'no-store' });
  } catch {
    throw new Fault('OFFLINE', 'The runtime cannot be downloaded, or is not what its hash says.', 'check the network, then reload the page');
  }
  if (!response.ok) throw new Fault('REFUSED', `The runtime: the server answers ${response.status}.`, 'reload the page');
  const binary = await new Response(response.body.pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
  // If the cache is full, it is downloaded again next time.
  await cache?.put(wasm, new Response(binary)).catch(() => {});
  return binary;
}

// Runtimes of earlier versions of the page.
async function tidy(kept) {
  const cache = await caches.open(CACHE).catch(() => null);
  for (const { url } of (await cache?.keys()) ?? []) if (!kept.includes(url)) await cache.delete(url);
}

export async function loadRuntime(assets, backend, wanted) {
  const [ort, binary] = await Promise.all([import(assets[backend].ort), unpacked(assets[backend])]);
  tidy(Object.values(assets).map((one) => one.wasm)).catch(() => {});
  ort.env.wasm.numThreads = threads(wanted);
  ort.env.wasm.wasmPaths = { mjs: assets[backend].glue };
  ort.env.wasm.wasmBinary = binary;
  ort.env.logLevel = 'error';
  return ort;
}

export async function gpuAdapter() {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  // The build for WebGPU suspends WebAssembly while the GPU works.
  return adapter && 'Suspending' in WebAssembly ? adapter : null;
}
