// The static tier: one row for each token, fitted to the model's own vectors (exporter/static.py). The vector of a text is the sum of
// the rows of its tokens, normalized. It takes microseconds and a few megabytes and is less exact; it is never returned as the model's.
//
// static.bin: "AKST", format (u32), length of the header (u32), the header in JSON, zeros up to a multiple of 4; then for each token a
// scale for each block of columns (16-bit floats), and for each token its columns, two to a byte, the low half first, each value + 8.
// All numbers are little endian.

import { unit } from './vectors.mjs';

const MAGIC = 0x54534b41;
const FORMAT = 1;

// What the fraction of a 16-bit float is multiplied by, for each exponent. `**` in its place took more time than all sums of a text.
const POWERS = Float64Array.from({ length: 32 }, (_, exponent) => 2 ** (Math.max(exponent, 1) - 25));

/** A 16-bit float; scales are finite. */
function half(bits) {
  const exponent = (bits >> 10) & 0x1f;
  const size = (exponent === 0 ? bits & 0x3ff : 1024 + (bits & 0x3ff)) * POWERS[exponent];
  return bits & 0x8000 ? -size : size;
}

/** The table of one model. */
export class StaticTable {
  /** `bytes` is static.bin. */
  constructor(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.byteLength < 12 || view.getUint32(0, true) !== MAGIC) throw new Error('static.bin: this is not a static table');
    if (view.getUint32(4, true) !== FORMAT) throw new Error(`static.bin: format ${view.getUint32(4, true)} is not supported`);
    const length = view.getUint32(8, true);
    this.header = JSON.parse(new TextDecoder().decode(bytes.subarray(12, 12 + length)));
    const { tokens, dimension, block } = this.header;
    const scales = Math.ceil((12 + length) / 4) * 4;
    this.blocks = dimension / block;
    this.rows = scales + tokens * this.blocks * 2;
    if (bytes.byteLength !== this.rows + (tokens * dimension) / 2) throw new Error('static.bin: the file is truncated');
    Object.assign(this, { bytes, view, scales, tokens, dimension, block });
  }

  /** The vector of a text by its ids. */
  embed(ids) {
    const { bytes, view, scales, rows, block, blocks, dimension } = this;
    const found = new Float32Array(dimension);
    for (const id of ids) {
      if (!(id >= 0 && id < this.tokens)) throw new Error(`static.bin: there is no token ${id}`);
      let at = rows + (id * dimension) / 2;
      for (let number = 0, column = 0; number < blocks; number += 1) {
        const scale = half(view.getUint16(scales + 2 * (id * blocks + number), true));
        for (const end = column + block; column < end; column += 2, at += 1) {
          const byte = bytes[at];
          found[column] += scale * ((byte & 15) - 8);
          found[column + 1] += scale * ((byte >> 4) - 8);
        }
      }
    }
    return unit(found);
  }
}
