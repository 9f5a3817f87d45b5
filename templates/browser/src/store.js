// Storage of downloaded bytes: OPFS, else the Cache API, else memory. A key is `<sha256 of the file>/<number of the part>`.
// Readers check the hash, so a damaged or incomplete entry counts as missing.

const FOLDER = 'akidb-edge-models';

class Opfs {
  name = 'OPFS';
  opened = new Map();

  static async open() {
    const root = await navigator.storage.getDirectory();
    const store = new Opfs();
    store.root = await root.getDirectoryHandle(FOLDER, { create: true });
    // In some private windows the folder opens but writing fails: test it now.
    await store.put('probe/0', new Uint8Array([1]));
    await store.remove('probe');
    return store;
  }

  // Folder handles are cached: each lookup is a call to another process.
  async folder(name, create) {
    const found = this.opened.get(name) ?? await this.root.getDirectoryHandle(name, { create });
    this.opened.set(name, found);
    return found;
  }

  async get(key) {
    const [folder, part] = key.split('/');
    try {
      const handle = await (await this.folder(folder, false)).getFileHandle(part);
      return new Uint8Array(await (await handle.getFile()).arrayBuffer());
    } catch (bad) {
      if (bad.name === 'NotFoundError') return null;
      throw bad;
    }
  }

  async put(key, bytes) {
    const [folder, part] = key.split('/');
    const handle = await (await this.folder(folder, true)).getFileHandle(part, { create: true });
    const access = await handle.createSyncAccessHandle();
    try {
      access.truncate(0);
      if (access.write(bytes, { at: 0 }) < bytes.length) throw new DOMException('no room', 'QuotaExceededError');
    } finally {
      access.close();
    }
  }

  async remove(folder) {
    this.opened.delete(folder);
    await this.root.removeEntry(folder, { recursive: true }).catch(ignoreMissing);
  }

  async folders() {
    const names = [];
    for await (const name of this.root.keys()) names.push(name);
    return names;
  }
}

class Cached {
  name = 'Cache API';

  static async open() {
    const store = new Cached();
    store.cache = await caches.open(FOLDER);
    await store.put('probe/0', new Uint8Array([1]));
    await store.remove('probe');
    return store;
  }

  // URLs that no server has: they are only keys in the cache.
  address = (key) => new URL(`/.${FOLDER}/${key}`, location.origin).href;

  async get(key) {
    const found = await this.cache.match(this.address(key));
    return found ? new Uint8Array(await found.arrayBuffer()) : null;
  }

  async put(key, bytes) {
    await this.cache.put(this.address(key), new Response(bytes));
  }

  async remove(folder) {
    const start = this.address(`${folder}/`);
    for (const { url } of await this.cache.keys()) if (url.startsWith(start)) await this.cache.delete(url);
  }

  async folders() {
    const start = this.address('');
    return [...new Set((await this.cache.keys()).map(({ url }) => url.slice(start.length).split('/')[0]))];
  }
}

class Memory {
  name = 'memory';
  entries = new Map();
  async get(key) { return this.entries.get(key) ?? null; }
  async put(key, bytes) { this.entries.set(key, bytes); }
  async remove(folder) {
    for (const key of [...this.entries.keys()]) if (key.startsWith(`${folder}/`)) this.entries.delete(key);
  }
  async folders() { return [...new Set([...this.entries.keys()].map((key) => key.split('/')[0]))]; }
}

// `forced` is for tests: selects one of the three.
export async function openStore(forced) {
  const kinds = { opfs: Opfs, cache: Cached };
  for (const [name, kind] of Object.entries(kinds)) {
    if (forced && forced !== name) continue;
    try {
      return await kind.open();
    } catch { /* The next one. */ }
  }
  return new Memory();
}

export const memory = () => new Memory();

// Free storage in bytes; unknown counts as enough.
export async function room() {
  try {
    const { quota, usage } = await navigator.storage.estimate();
    return quota === undefined ? Infinity : quota - (usage ?? 0);
  } catch {
    return Infinity;
  }
}

export const isFull = (bad) => bad?.name === 'QuotaExceededError';

function ignoreMissing(bad) {
  if (bad.name !== 'NotFoundError') throw bad;
}
