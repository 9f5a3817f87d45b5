// The static tier: the sum of one row for each token, made one unit long (exporter/static.py, templates/inference/static.mjs have the
// format). Scales and rows are read by their place, so that a first vector needs only the parts of the file that hold them.

import { Fault } from './fault.js';
import { partsAround } from './chunks.js';

const MAGIC = 'AKST';
const FORMAT = 1;
const BEFORE_HEADER = 12;
const SCALE = 2;

export class StaticTier {
  static async open(download) {
    const tier = new StaticTier();
    tier.download = download;
    const view = await tier.view(0, BEFORE_HEADER);
    if (String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset, 4)) !== MAGIC) throw unread('has another beginning');
    if (view.getUint32(4, true) !== FORMAT) throw unread('has a newer format');
    const length = view.getUint32(8, true);
    const { tokens, dimension, block } = JSON.parse(new TextDecoder().decode(await tier.view(BEFORE_HEADER, length)));
    const scales = Math.ceil((BEFORE_HEADER + length) / 4) * 4;
    const blocks = dimension / block;
    const rows = scales + tokens * blocks * SCALE;
    if (rows + (tokens * dimension) / 2 !== download.file.size) throw unread('has another size than its header says');
    return Object.assign(tier, { tokens, dimension, block, blocks, scales, rows });
  }

  async view(from, size) {
    const { parts } = this.download;
    const numbers = partsAround(parts, from, size);
    const pieces = await Promise.all(numbers.map((at) => this.download.part(at)));
    const offset = from - parts[numbers[0]].from;
    if (pieces.length === 1) return new DataView(pieces[0].buffer, pieces[0].byteOffset + offset, size);
    const joined = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    pieces.reduce((at, piece) => (joined.set(piece, at), at + piece.length), 0);
    return new DataView(joined.buffer, offset, size);
  }

  async row(id) {
    const { dimension, blocks } = this;
    return Promise.all([
      this.view(this.scales + SCALE * id * blocks, SCALE * blocks),
      this.view(this.rows + (id * dimension) / 2, dimension / 2),
    ]);
  }

  // The vector of the ids of a text, the special ones among them.
  async vector(ids) {
    if (ids.some((id) => id >= this.tokens)) throw unread('lacks a token of the tokenizer');
    const found = await Promise.all([...new Set(ids)].map(async (id) => [id, await this.row(id)]));
    const rows = new Map(found);
    const sum = new Float32Array(this.dimension);
    for (const id of ids) this.add(rows.get(id), sum);
    return unit(sum);
  }

  add([scales, values], sum) {
    for (let column = 0; column < this.dimension; column += 2) {
      const scale = half(scales.getUint16(SCALE * Math.floor(column / this.block), true));
      const two = values.getUint8(column / 2);
      sum[column] += scale * ((two & 15) - 8);
      sum[column + 1] += scale * ((two >> 4) - 8);
    }
  }
}

// A 16-bit float.
function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  return exponent ? sign * (1024 + fraction) * 2 ** (exponent - 25) : sign * fraction * 2 ** -24;
}

function unit(vector) {
  let square = 0;
  for (const value of vector) square += value * value;
  return vector.map((value) => value / (Math.sqrt(square) || 1));
}

function unread(what) {
  return new Fault('STATIC_TABLE', `The table of the static tier ${what}.`, 'reload the page');
}
