// Text to token ids. A model with tokens.json is read as the function at the edge reads it: by a table of characters, whatever Unicode
// version the browser has. Other models are read by the library alone. Neither pads; both cut where the model stops reading.

import { Tokenizer } from '@huggingface/tokenizers';
import { Tokens } from '../../lambda/gateway/inference/tokens.mjs';

export class TextTokenizer {
  constructor(documents, longest, lowercase = false) {
    const known = documents['tokens.json'];
    const whole = { ...documents['tokenizer.json'], truncation: null, padding: null };
    this.tokenizer = known ? new Tokens(known, Tokenizer).tokenizer : new Tokenizer(whole, documents['tokenizer_config.json'] ?? {});
    Object.assign(this, { longest, lowercase });
    // Special tokens behind a text: those behind the first that differs.
    const [frame, some] = ['', 'a'].map((text) => this.tokenizer.encode(text).ids);
    const differs = frame.findIndex((id, at) => id !== some[at]);
    this.ending = differs < 0 ? 0 : frame.length - differs;
  }

  // Ids of a text, special tokens included; `total` is how many there would be without a cut.
  encode(text) {
    const { ids } = this.tokenizer.encode(this.lowercase ? text.toLowerCase() : text);
    if (ids.length <= this.longest) return { ids, total: ids.length };
    const ending = this.ending ? ids.slice(-this.ending) : [];
    return { ids: [...ids.slice(0, this.longest - this.ending), ...ending], total: ids.length };
  }
}
