// Text to token ids with the model's own tokenizer. It never pads, and cuts where the model stops reading, whatever tokenizer.json says.

import { Tokenizer } from '@huggingface/tokenizers';

export class TextTokenizer {
  constructor(documents, longest, lowercase = false) {
    const whole = { ...documents['tokenizer.json'], truncation: null, padding: null };
    this.tokenizer = new Tokenizer(whole, documents['tokenizer_config.json'] ?? {});
    Object.assign(this, { longest, lowercase });
    const frame = this.tokenizer.encode('').ids;
    // How many special tokens stand behind a text: those behind the first that differs.
    const some = this.tokenizer.encode('a').ids;
    this.ending = frame.length - frame.findIndex((id, at) => id !== some[at]);
    if (frame.every((id, at) => id === some[at])) this.ending = 0;
  }

  // Ids of a text, special tokens included; `total` is how many there would be without a cut.
  encode(text) {
    const { ids } = this.tokenizer.encode(this.lowercase ? text.toLowerCase() : text);
    if (ids.length <= this.longest) return { ids, total: ids.length };
    const ending = this.ending ? ids.slice(-this.ending) : [];
    return { ids: [...ids.slice(0, this.longest - this.ending), ...ending], total: ids.length };
  }
}
