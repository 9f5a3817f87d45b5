// The static tier before its whole table is loaded: scales and rows of single tokens are read by offset, so that a first vector needs
// only the parts of the file that contain them. Format and sum are those of the function at the edge.

import { StaticTable } from '../../lambda/gateway/inference/static.mjs';
import { Fault } from './fault.js';
import { partsAround } from './chunks.js';

const MAGIC = 0x54534b41;
const FORMAT = 1;
const BEFORE_HEADER = 12;
const SCALE = 2;
const aligned = (size) => Math.ceil(size / 4) * 4;

export class StaticTier {
  static async open(download) {
    const tier = Object.assign(new StaticTier(), { download });
    const start = await tier.bytes(0, BEFORE_HEADER);
    const view = new DataView(start.buffer, start.byteOffset);
    if (view.getUint32(0, true) !== MAGIC || view.getUint32(4, true) !== FORMAT) throw unread('has another format');
    const length = view.getUint32(8, true);
    tier.header = JSON.parse(new TextDecoder().decode(await tier.bytes(BEFORE_HEADER, length)));
    const { tokens, dimension, block } = tier.header;
    tier.scales = { from: aligned(BEFORE_HEADER + length), size: (SCALE * dimension) / block };
    tier.rows = { from: tier.scales.from + tokens * tier.scales.size, size: dimension / 2 };
    if (tier.rows.from + tokens * tier.rows.size !== download.file.size) throw unread('has another size than its header says');
    return tier;
  }

  // Bytes of the file, from the parts that contain them.
  async bytes(from, size) {
    const { parts } = this.download;
    const numbers = partsAround(parts, from, size);
    const pieces = await Promise.all(numbers.map((at) => this.download.part(at)));
    const offset = from - parts[numbers[0]].from;
    if (pieces.length === 1) return pieces[0].subarray(offset, offset + size);
    const joined = new Uint8Array(await new Blob(pieces).arrayBuffer());
    return joined.subarray(offset, offset + size);
  }

  // The whole table, for later texts and for offline use.
  async keep() {
    this.table = new StaticTable(await this.download.whole());
  }

  // The vector of the ids of a text, including special tokens.
  async vector(ids) {
    if (this.table) return this.table.embed(ids);
    if (ids.some((id) => id >= this.header.tokens)) throw unread('lacks a token of the tokenizer');
    const own = [...new Set(ids)];
    const of = ({ from, size }) => Promise.all(own.map((id) => this.bytes(from + id * size, size)));
    const table = new StaticTable(this.part(own.length, await of(this.scales), await of(this.rows)));
    return table.embed(ids.map((id) => own.indexOf(id)));
  }

  // A table of the same format with these rows only.
  part(tokens, scales, rows) {
    const header = new TextEncoder().encode(JSON.stringify({ ...this.header, tokens }));
    const first = aligned(BEFORE_HEADER + header.length);
    const bytes = new Uint8Array(first + tokens * (this.scales.size + this.rows.size));
    new Uint32Array(bytes.buffer, 0, 3).set([MAGIC, FORMAT, header.length]);
    bytes.set(header, BEFORE_HEADER);
    scales.forEach((one, at) => bytes.set(one, first + at * this.scales.size));
    rows.forEach((one, at) => bytes.set(one, first + tokens * this.scales.size + at * this.rows.size));
    return bytes;
  }
}

function unread(what) {
  return new Fault('STATIC_TABLE', `The table of the static tier ${what}.`, 'reload the page');
}
