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
// Where a list is written before it becomes a text: kept, since to make it anew took as long as to fill it.
let scratch = new Uint8Array(0);

/** Three digits of 0 to 999 from `end` on. */
function digits(bytes, end, group) {
  bytes[end] = THREE[3 * group];
  bytes[end + 1] = THREE[3 * group + 1];
  bytes[end + 2] = THREE[3 * group + 2];
}

/** A JSON list with nine decimals: half the length of JavaScript's own spelling of 32-bit floats, and off by 5e-10 at most. */
export function json(vector) {
  if (scratch.length < LONGEST * vector.length) scratch = new Uint8Array(LONGEST * vector.length);
  const bytes = scratch;
  let end = 0;
  for (let at = 0; at < vector.length; at += 1) {
    const value = vector[at];
    const rounded = Math.abs(value) * WHOLE + 0.5;
    // Not normalized, or not finite: JavaScript's own format.
    if (!(rounded < WHOLE)) return JSON.stringify(Array.from(vector));
    const size = rounded | 0;
    if (at > 0) bytes[end++] = COMMA;
    if (value < 0 && size > 0) bytes[end++] = MINUS;
    bytes[end++] = ZERO;
    if (size === 0) continue;
    bytes[end] = POINT;
    const high = (size / 1e6) | 0;
    const rest = (size - high * 1e6) | 0;
    const middle = (rest / 1e3) | 0;
    digits(bytes, end + 1, high);
    digits(bytes, end + 4, middle);
    digits(bytes, end + 7, (rest - middle * 1e3) | 0);
    end += 10;
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
