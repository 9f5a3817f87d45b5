// The full model in ONNX Runtime: token ids in, one vector out. Texts run one by one, so a vector does not depend on its neighbours.

import { mean, unit } from '../../lambda/gateway/inference/vectors.mjs';
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
    const { data, dims } = (await this.session.run(feeds, [name]))[name];
    if (dims.length !== 3) throw new Fault('UNSUPPORTED_MODEL', `The graph answers with ${dims.join(' x ')} numbers.`, 'the server embeds instead');
    const vector = pooled(data, ids.length, dims[2], this.settings.mode);
    return this.settings.normalize ? unit(vector) : vector;
  }

  release() {
    return this.session.release();
  }
}

export function pooled(states, count, dimension, mode) {
  if (mode === 'mean') return mean(states, count, dimension);
  const vector = states.slice(0, dimension);
  if (mode === 'cls') return vector;
  for (let at = dimension; at < count * dimension; at += 1) vector[at % dimension] = Math.max(vector[at % dimension], states[at]);
  return vector;
}
