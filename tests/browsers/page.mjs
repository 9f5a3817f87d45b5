// The page in a browser: what a visitor does and sees.

const STEP_MS = 100;

export class Page {
  constructor(driver, url) {
    Object.assign(this, { driver, url });
  }

  open = (query = '') => this.driver.open(`${this.url}${query}`);

  // Waits until `source` (an async function) gives something true, and gives it.
  async until(source, what, seconds = 300) {
    const end = Date.now() + seconds * 1000;
    let last;
    do {
      // Between two documents nothing can be run.
      last = await this.driver.run(source).catch((bad) => ({ failed: bad.message }));
      if (last && !last.failed) return last;
      await new Promise((done) => setTimeout(done, STEP_MS));
    } while (Date.now() < end);
    throw new Error(`${what}: not within ${seconds} s; the page shows ${JSON.stringify(await this.state().catch((bad) => bad.message))}${last?.failed ? `; ${last.failed}` : ''}`);
  }

  tier = (name) => this.until(`async () => document.documentElement.dataset.tier === '${name}' && globalThis.akidb && akidb.facts`, `vectors of the ${name} tier`);
  full = () => this.until("async () => document.documentElement.dataset.full === 'ready' && akidb.facts", 'the full model');
  offline = () => this.until("async () => document.documentElement.dataset.offline", 'the page is kept');
  alert = (code) => this.until(`async () => { const one = document.getElementById('alert'); return one && !one.hidden && one.textContent.includes(${JSON.stringify(code)}) && one.textContent; }`, `the alert "${code}"`);

  state = () => this.driver.run(`async () => ({
    ...document.documentElement.dataset, isolated: globalThis.crossOriginIsolated,
    alert: document.getElementById('alert')?.textContent, notice: document.getElementById('notice')?.textContent,
    backend: document.getElementById('backend')?.textContent, check: document.getElementById('check')?.textContent,
    offlineText: document.getElementById('offline')?.textContent, store: document.getElementById('store')?.textContent })`);

  // Vectors as plain lists; a refusal as `{fault}`.
  embed = (texts, tier = 'full', cut = false) => this.driver.run(`async ({ texts, tier, cut }) => {
    try {
      return (await akidb.embed(texts, tier, cut)).map((one) => ({ ...one, vector: Array.from(one.vector) }));
    } catch (bad) { return { fault: bad.code, message: bad.message, next: bad.next }; } }`, { texts, tier, cut });

  choose = (name) => this.driver.run(`async (name) => { const list = document.getElementById('model'); list.value = name; list.dispatchEvent(new Event('change', { bubbles: true })); }`, name);
  press = (id) => this.driver.run('async (id) => { document.getElementById(id).click(); }', id);
  write = (text) => this.driver.run(`async (text) => { document.getElementById('texts').value = text; }`, text);
}

export function cosine(one, other) {
  let [dot, a, b] = [0, 0, 0];
  one.forEach((value, at) => { dot += value * other[at]; a += value * value; b += other[at] * other[at]; });
  return dot / Math.sqrt(a * b);
}
