// Pools states into vectors and writes them into responses. Pooling is the server's: the mean over all tokens, then normalization.

/** The mean over the tokens of one text. `states` are tokens x dimension. */
export function mean(states, tokens, dimension) {
  const sums = new Float64Array(dimension);
  for (let token = 0, at = 0; token < tokens; token += 1) {
    for (let column = 0; column < dimension; column += 1, at += 1) sums[column] += states[at];
  }
  const found = new Float32Array(dimension);
  for (let column = 0; column < dimension; column += 1) found[column] = sums[column] / tokens;
  return found;
}

/** The vector with length 1; zeros stay zeros. */
export function unit(vector) {
  let sum = 0;
  for (let at = 0; at < vector.length; at += 1) sum += vector[at] * vector[at];
  const length = Math.sqrt(sum);
  if (length > 0) for (let at = 0; at < vector.length; at += 1) vector[at] /= length;
  return vector;
}

/** Whether all values are numbers, and not all of them zero. */
export function sound(vector) {
  let sum = 0;
  for (let at = 0; at < vector.length; at += 1) sum += Math.abs(vector[at]);
  return Number.isFinite(sum) && sum > 0;
}

// Writes three digits at a time, as ASCII.
const THREE = Uint8Array.from({ length: 3000 }, (_, at) => 48 + (Math.floor(Math.floor(at / 3) / 10 ** (2 - (at % 3))) % 10));
const [COMMA, MINUS, ZERO, POINT] = [44, 45, 48, 46];
const WHOLE = 1e9;
// Of one number with its comma.
const LONGEST = 13;
const ASCII = new TextDecoder('latin1');

/** A JSON list with nine decimals: half the length of JavaScript's own spelling of 32-bit floats, and off by 5e-10 at most. */
export function json(vector) {
  const bytes = new Uint8Array(LONGEST * vector.length);
  let end = 0;
  for (let at = 0; at < vector.length; at += 1) {
    const value = vector[at];
    const size = Math.round(Math.abs(value) * WHOLE);
    // Not normalized, or not finite: JavaScript's own format.
    if (!(size < WHOLE)) return JSON.stringify(Array.from(vector));
    if (at > 0) bytes[end++] = COMMA;
    if (value < 0 && size > 0) bytes[end++] = MINUS;
    bytes[end++] = ZERO;
    if (size === 0) continue;
    bytes[end++] = POINT;
    const high = (size / 1e6) | 0;
    const rest = size - high * 1e6;
    const middle = (rest / 1e3) | 0;
    for (const group of [high, middle, rest - middle * 1e3]) {
      bytes[end++] = THREE[3 * group];
      bytes[end++] = THREE[3 * group + 1];
      bytes[end++] = THREE[3 * group + 2];
    }
  }
  return `[${ASCII.decode(bytes.subarray(0, end))}]`;
}

/** 32-bit floats, little endian, in base64. */
export function base64(vector) {
  const bytes = new Uint8Array(vector.length * 4);
  const view = new DataView(bytes.buffer);
  vector.forEach((value, at) => view.setFloat32(4 * at, value, true));
  let text = '';
  for (let at = 0; at < bytes.length; at += 1024) text += String.fromCharCode(...bytes.subarray(at, at + 1024));
  return btoa(text);
}
