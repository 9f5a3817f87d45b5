// Converts text to token ids. With tokens.json, as the function at the edge does: with a table of characters, independent of the
// browser's Unicode version. Other models use the library only. Neither pads; both truncate at the model's maximum length.

import { Tokenizer } from '@huggingface/tokenizers';
import { Tokens } from '../../lambda/gateway/inference/tokens.mjs';

export class TextTokenizer {
  constructor(documents, longest, lowercase = false) {
    const known = documents['tokens.json'];
    const whole = { ...documents['tokenizer.json'], truncation: null, padding: null };
    this.tokenizer = known ? new Tokens(known, Tokenizer).tokenizer : new Tokenizer(whole, documents['tokenizer_config.json'] ?? {});
    Object.assign(this, { longest, lowercase });
    // Special tokens after a text: those after the first difference.
    const [frame, some] = ['', 'a'].map((text) => this.tokenizer.encode(text).ids);
    const differs = frame.findIndex((id, at) => id !== some[at]);
    this.ending = differs < 0 ? 0 : frame.length - differs;
  }

  // Ids of a text, special tokens included; `total` is the number without truncation.
  encode(text) {
    const { ids } = this.tokenizer.encode(this.lowercase ? text.toLowerCase() : text);
    if (ids.length <= this.longest) return { ids, total: ids.length };
    const ending = this.ending ? ids.slice(-this.ending) : [];
    return { ids: [...ids.slice(0, this.longest - this.ending), ...ending], total: ids.length };
  }
}
