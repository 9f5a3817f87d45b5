// Converts texts to token ids, the same as the server's, in any JavaScript runtime: WordPiece from @huggingface/tokenizers, which the
// caller imports, and characters by the table in tokens.json (exporter/tokens.py). Nothing depends on the runtime's Unicode version.

const HANGUL = 0xac00;
const [KEEP, DROP, SPACE, APART, SYLLABLE, TEXT, MARK] = [0, 1, 2, 3, 4, 5, 6];
// FNV-1a over UTF-16 units; a line break ends a piece.
const [SEED, PRIME, LINE] = [0x811c9dc5 | 0, 0x01000193, 10];
const KINDS = { drop: DROP, space: SPACE, apart: APART, hangul: SYLLABLE };

/** What becomes of each character before words are cut into pieces. */
export class Characters {
  constructor({ runs, order = [] }) {
    this.kinds = new Uint8Array(0x110000);
    this.texts = new Map();
    for (const [first, count, what] of runs) {
      const kind = Array.isArray(what) ? TEXT : KINDS[what];
      if (kind === undefined) throw new Error(`tokens.json: unknown kind of characters ${String(what)}`);
      this.kinds.fill(kind, first, first + count);
      if (kind === TEXT) what.forEach((text, at) => this.texts.set(first + at, text));
    }
    this.order = new Map(order);
    for (const [point] of order) this.kinds[point] = MARK;
  }

  /** A text whose words are separated by spaces. */
  words(text) {
    const { kinds, texts } = this;
    let [found, marked] = ['', false];
    for (let at = 0; at < text.length; at += 1) {
      const point = text.codePointAt(at);
      const kind = kinds[point];
      if (kind === KEEP) found += point > 0xffff ? text.slice(at, at + 2) : text[at];
      else if (kind === TEXT) found += texts.get(point);
      else if (kind === SPACE) found += ' ';
      else if (kind === APART) found += ` ${String.fromCodePoint(point)} `;
      else if (kind === SYLLABLE) found += letters(point);
      else if (kind === MARK) {
        found += String.fromCodePoint(point);
        marked = true;
      }
      if (point > 0xffff) at += 1;
    }
    return marked ? this.sorted(found) : found;
  }

  /** Combining marks in their canonical order. */
  sorted(text) {
    const marks = [];
    let [changed, begin] = [false, -1];
    const points = Array.from(text);
    const close = (end) => {
      if (marks.length > 1) {
        const before = marks.join('');
        marks.sort((one, other) => this.order.get(one.codePointAt(0)) - this.order.get(other.codePointAt(0)));
        changed ||= before !== marks.join('');
        points.splice(begin, end - begin, ...marks);
      }
      marks.length = 0;
    };
    points.forEach((one, at) => {
      if (!this.order.has(one.codePointAt(0))) return close(at);
      if (marks.length === 0) begin = at;
      marks.push(one);
      return undefined;
    });
    close(points.length);
    return changed ? points.join('') : text;
  }
}

/** A Hangul syllable as its letters (Unicode, section 3.12). */
function letters(point) {
  const at = point - HANGUL;
  const last = at % 28;
  const found = [0x1100 + Math.floor(at / 588), 0x1161 + Math.floor((at % 588) / 28)];
  return String.fromCodePoint(...found, ...(last ? [0x11a7 + last] : []));
}

/**
 * The vocabulary, with the methods of a Map that the library uses: a hash table over the text of all pieces. Creating 30,000 strings
 * and a Map took most of the time between a cold start and the first id.
 */
class Vocabulary {
  constructor(pieces) {
    let [count, size] = [1, 1024];
    for (let at = pieces.indexOf('\n'); at !== -1; at = pieces.indexOf('\n', at + 1)) count += 1;
    while (size < 2 * count) size *= 2;
    Object.assign(this, { pieces, size, mask: size - 1, places: new Int32Array(count + 1), table: new Int32Array(size).fill(-1) });
    let [id, hash] = [0, SEED];
    for (let at = 0; at <= pieces.length; at += 1) {
      const unit = at < pieces.length ? pieces.charCodeAt(at) : LINE;
      if (unit !== LINE) {
        hash = Math.imul(hash ^ unit, PRIME);
        continue;
      }
      let slot = hash & this.mask;
      while (this.table[slot] !== -1) slot = (slot + 1) & this.mask;
      this.table[slot] = id;
      id += 1;
      this.places[id] = at + 1;
      hash = SEED;
    }
    this.count = id;
  }

  get(piece) {
    const { pieces, places, table, mask } = this;
    let hash = SEED;
    for (let at = 0; at < piece.length; at += 1) hash = Math.imul(hash ^ piece.charCodeAt(at), PRIME);
    for (let slot = hash & mask; table[slot] !== -1; slot = (slot + 1) & mask) {
      const id = table[slot];
      if (places[id + 1] - places[id] - 1 === piece.length && pieces.startsWith(piece, places[id])) return id;
    }
    return undefined;
  }

  has(piece) {
    return this.get(piece) !== undefined;
  }
}

/** Tokenizes texts as the server does: `encode` returns the ids with [CLS] and [SEP]. */
export class Tokens {
  /** `document` is tokens.json, `Tokenizer` the class of @huggingface/tokenizers. */
  constructor(document, Tokenizer) {
    if (document?.format !== 1) throw new Error(`tokens.json: format ${String(document?.format)} is not supported`);
    this.maxTokens = document.max_tokens;
    const characters = new Characters(document);
    const settings = { ...document.tokenizer, normalizer: null, pre_tokenizer: { type: 'WhitespaceSplit' } };
    this.tokenizer = new Tokenizer(settings, {});
    const { model } = this.tokenizer;
    model.tokens_to_ids = new Vocabulary(document.pieces);
    model.unk_token_id = model.tokens_to_ids.get(model.unk_token);
    this.tokenizer.normalizer = (text) => characters.words(text);
    const { ids } = this.tokenizer.encode('');
    this.end = ids.at(-1);
    this.around = ids.length;
  }

  /** The ids of a text, cut at the model's limit, and whether it was cut. */
  encode(text) {
    const { ids } = this.tokenizer.encode(text);
    if (ids.length <= this.maxTokens) return { ids, cut: false };
    const kept = ids.slice(0, this.maxTokens);
    kept[kept.length - 1] = this.end;
    return { ids: kept, cut: true };
  }
}
