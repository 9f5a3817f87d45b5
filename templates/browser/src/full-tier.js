// The full model in ONNX Runtime: token ids in, one vector out. Texts run one by one, so a vector does not depend on its neighbours.

import { Fault } from './fault.js';

const INPUTS = ['input_ids', 'attention_mask', 'token_type_ids'];

export class FullTier {
  constructor(ort, session, settings, provider) {
    Object.assign(this, { ort, session, settings, provider });
    const other = session.inputNames.find((name) => !INPUTS.includes(name));
    if (other) throw new Fault('UNSUPPORTED_MODEL', `The graph wants the input ${other}, which this page does not give.`, 'the server embeds instead');
  }

  static async open(ort, bytes, settings, provider = 'wasm') {
    const session = await ort.InferenceSession.create(bytes, { executionProviders: [provider], graphOptimizationLevel: 'all' });
    return new FullTier(ort, session, settings, provider);
  }

  async vector(ids) {
    const shape = [1, ids.length];
    const tensor = (values) => new this.ort.Tensor('int64', values, shape);
    const all = {
      input_ids: () => tensor(BigInt64Array.from(ids, BigInt)),
      attention_mask: () => tensor(new BigInt64Array(ids.length).fill(1n)),
      token_type_ids: () => tensor(new BigInt64Array(ids.length)),
    };
    const feeds = Object.fromEntries(this.session.inputNames.map((name) => [name, all[name]()]));
    const name = this.session.outputNames.includes('last_hidden_state') ? 'last_hidden_state' : this.session.outputNames[0];
    const output = (await this.session.run(feeds, [name]))[name];
    const vector = pooled(output.data, ids.length, output.dims.at(-1), this.settings.mode);
    return this.settings.normalize ? unit(vector) : Float32Array.from(vector);
  }

  release() {
    return this.session.release();
  }
}

export function pooled(states, count, dimension, mode) {
  if (mode === 'cls') return Float64Array.from(states.subarray(0, dimension));
  const vector = new Float64Array(dimension).fill(mode === 'max' ? -Infinity : 0);
  for (let token = 0; token < count; token += 1) {
    for (let at = 0; at < dimension; at += 1) {
      const value = states[token * dimension + at];
      if (mode === 'max') vector[at] = Math.max(vector[at], value);
      else vector[at] += value / count;
    }
  }
  return vector;
}

export function unit(vector) {
  const length = Math.hypot(...vector) || 1;
  return Float32Array.from(vector, (value) => value / length);
}
