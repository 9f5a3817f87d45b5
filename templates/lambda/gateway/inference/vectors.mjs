// Vectors of states and their spelling in answers. The server's pooling: the mean over all tokens of a text, then length 1.

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

const DIGITS = 9;
const WHOLE = 10 ** DIGITS;
const ZEROS = Array.from({ length: DIGITS + 1 }, (_, count) => '0'.repeat(count));

/** A JSON list with nine decimals: half the length of JavaScript's own spelling of 32-bit floats, and off by 5e-10 at most. */
export function json(vector) {
  let found = '[';
  for (let at = 0; at < vector.length; at += 1) {
    const value = vector[at];
    found += at === 0 ? '' : ',';
    found += value > -1 && value < 1 ? decimal(value) : String(value);
  }
  return `${found}]`;
}

function decimal(value) {
  const rounded = Math.round(Math.abs(value) * WHOLE);
  if (rounded === 0) return '0';
  if (rounded >= WHOLE) return value < 0 ? '-1' : '1';
  const digits = String(rounded);
  return `${value < 0 ? '-0.' : '0.'}${ZEROS[DIGITS - digits.length]}${digits}`;
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
