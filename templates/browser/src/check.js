// Before a backend is used, it embeds ten texts whose ids and vectors came with the model: the short form of the parity certificate.

// The same INT8 file on two kinds of processors: one rounding that differs changes all later ones, so that single texts
// differ as much as two INT8 graphs do. Over 200 texts, onnxruntime against WebAssembly: mean 0.9998, worst 0.9979.
export const SAME_FILE = { mean: 0.999, worst: 0.995 };
// Against a server that may run another precision of the model.
export const OTHER_FILE = { mean: 0.99, worst: 0.975 };

export function cosine(one, other) {
  let [dot, a, b] = [0, 0, 0];
  for (let at = 0; at < one.length; at += 1) {
    dot += one[at] * other[at];
    a += one[at] ** 2;
    b += other[at] ** 2;
  }
  return dot / Math.sqrt(a * b);
}

// Compares expected and actual results of each text: `{ids, vector}`. A cosine that is not a number counts as -1.
export function compare(expected, got) {
  const cosines = expected.map((one, at) => {
    const same = got[at]?.vector?.length === one.vector.length;
    const value = same ? cosine(one.vector, got[at].vector) : NaN;
    return Number.isNaN(value) ? -1 : value;
  });
  const ids = expected.filter((one, at) => !one.ids || String(one.ids) === String(got[at]?.ids)).length;
  return { texts: expected.length, ids, worst: Math.min(...cosines), mean: cosines.reduce((sum, value) => sum + value, 0) / cosines.length };
}

export function agrees({ texts, ids, mean, worst }, least = SAME_FILE) {
  return texts > 0 && ids === texts && mean >= least.mean && worst >= least.worst;
}

export function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)];
}

// WebGPU is used only if its results are correct and it is at least 10 % faster.
export function prefersGpu(check, gpuMs, wasmMs) {
  return agrees(check) && median(gpuMs) < 0.9 * median(wasmMs);
}

// 32-bit floats, little endian, in base64.
export function floats(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}
