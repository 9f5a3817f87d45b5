// Files of a model: from the store, or in parts from the network. Each part is checked against its hash before it is used.

import { Fault } from './fault.js';
import { sha256 } from './digest.js';
import { isFull, memory } from './store.js';

const AT_ONCE = 4;
const TRIES = 4;
const FIRST_PAUSE_MS = 300;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

export class Download {
  // `say` is called when the store is full. `signal` aborts the requests; downloaded parts are kept.
  constructor(file, parts, store, { signal, say = () => {} } = {}) {
    Object.assign(this, { file, parts, store, signal, say });
    this.held = new Map();
    this.fetched = 0;
    // Writes to the store, one part after the other; a part can be used before it is written.
    this.written = Promise.resolve();
  }

  // One part, from memory, the store or the network.
  async part(at) {
    if (!this.held.has(at)) {
      const wanted = this.load(at);
      this.held.set(at, wanted);
      // A failed part can be requested again.
      wanted.catch(() => this.held.delete(at));
    }
    return this.held.get(at);
  }

  async load(at) {
    const part = this.parts[at];
    const kept = await this.store.get(this.key(at)).catch(() => null);
    if (kept && kept.length === part.size && (!part.sha256 || (await sha256(kept)) === part.sha256)) return kept;
    const bytes = await this.request(at);
    this.written = this.written.then(() => this.keep(at, bytes));
    return bytes;
  }

  key(at) {
    return `${this.file.sha256}/${at}`;
  }

  async keep(at, bytes) {
    try {
      await this.store.put(this.key(at), bytes);
    } catch (bad) {
      if (!isFull(bad)) this.say('store', `${this.store.name} failed: ${bad.message}`);
      else this.say('full', `This browser has no more room, so ${this.file.path} stays in memory until the page is closed.`);
      this.store = memory();
    }
  }

  async request(at) {
    const part = this.parts[at];
    let last;
    for (let attempt = 0; attempt < TRIES; attempt += 1) {
      if (attempt) await pause(FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + Math.random()));
      this.signal?.throwIfAborted();
      try {
        const bytes = await this.fetch(part);
        if (!part.sha256 || (await sha256(bytes)) === part.sha256) {
          this.fetched += bytes.length;
          return bytes;
        }
        last = damaged(this.file, at);
      } catch (bad) {
        if (bad.name === 'AbortError' || bad.final) throw bad;
        last = bad instanceof Fault ? bad : unreachable(this.file);
      }
    }
    throw last;
  }

  async fetch(part) {
    const whole = this.parts.length === 1;
    const headers = whole ? {} : { range: `bytes=${part.from}-${part.from + part.size - 1}` };
    const response = await fetch(this.file.url, { headers, signal: this.signal, cache: 'no-store' });
    if (!response.ok) throw refused(this.file, response.status);
    const bytes = new Uint8Array(await response.arrayBuffer());
    // A server without ranges sends the whole file.
    const own = whole || response.status === 206 ? bytes : bytes.slice(part.from, part.from + part.size);
    if (own.length !== part.size) throw damaged(this.file, this.parts.indexOf(part));
    return own;
  }

  // The whole file in one buffer. `progress(done, size)` is called as parts come.
  async whole(progress = () => {}) {
    const all = new Uint8Array(this.file.size);
    let next = 0;
    let done = 0;
    const work = async () => {
      while (next < this.parts.length) {
        const at = next++;
        all.set(await this.part(at), this.parts[at].from);
        done += this.parts[at].size;
        progress(done, this.file.size);
      }
    };
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, this.parts.length) }, work));
    const checked = this.parts.every((part) => part.sha256);
    if (!checked && (await sha256(all)) !== this.file.sha256) {
      await this.written;
      await this.store.remove(this.file.sha256);
      throw damaged(this.file);
    }
    // Until the part is in the store, requests for it get this buffer.
    this.written.then(() => this.held.clear());
    return all;
  }
}

function damaged(file, at) {
  const where = at === undefined ? file.path : `part ${at + 1} of ${file.path}`;
  return new Fault('DAMAGED', `${where} is not what its SHA-256 says, so it is not used.`, 'reload the page; if it stays, publish the model again');
}

function unreachable(file) {
  return new Fault('OFFLINE', `${file.path} cannot be downloaded: the network does not answer.`, 'the download goes on where it stopped once the network is back');
}

function refused(file, status) {
  const fault = new Fault('REFUSED', `${file.path}: the server answers ${status}.`, status === 404 || status === 403 ? 'reload the page: another version may have taken its place' : 'try again later');
  // A missing file is not requested again.
  fault.final = status >= 400 && status < 500 && status !== 408 && status !== 429;
  return fault;
}
