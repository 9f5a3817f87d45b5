// The step `validate browser`: the deployed page in each browser of this machine; what the criteria `browser.*` measure, as JSON.
//
//   node measure.mjs --url ADDRESS [--engine NAME ...] [--minimum chromium=90,firefox=89,webkit=15] [--visits 5] [--out FILE]
//
// Ends with 1 when a browser that can be driven did not pass. A measure that nothing here can take is null, with the reason.

import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { ENGINES, Unable } from './drivers.mjs';
import { Page, cosine } from './page.mjs';
import { startRelay } from './relay.mjs';

const { values: options } = parseArgs({ options: {
  url: { type: 'string' }, engine: { type: 'string', multiple: true }, minimum: { type: 'string', default: 'chromium=90,firefox=89,webkit=15' },
  visits: { type: 'string', default: '5' }, out: { type: 'string' },
} });
if (!options.url) throw new TypeError('name the page: --url https://cdn.example.com/');
const MINIMUM = Object.fromEntries(options.minimum.split(',').map((one) => one.split('=')).map(([name, version]) => [name, Number(version)]));
const WARM = 40;
const TEXT = 'Vector databases find what is similar, fast.';
const TEXTS = [TEXT, 'A kitten naps in the sun.', '東京都', '🚀', ''];
const SERVER_AGREES = 0.975;

// The value that 95 of 100 do not exceed, by the nearest rank.
export const p95 = (values) => (values.length ? [...values].sort((a, b) => a - b)[Math.ceil(values.length * 0.95) - 1] : null);
// WebKitGTK counts its own versions: 2.36 is Safari 15.4, 2.40 is 16.4.
const major = (engine, version) => { const [, one, two] = /(\d+)\.(\d+)/.exec(version); return engine === 'webkit' && Number(one) < 10 ? (Number(two) >= 40 ? 16 : 15) : Number(one); };

async function visits(driver, url, relay) {
  const [loads, cold, warm] = [[], [], []];
  const page = new Page(driver, url);
  let facts;
  for (let visit = 0; visit < Number(options.visits); visit += 1) {
    await page.open();
    facts = await page.full();
    loads.push(facts.full.ms.load + facts.full.ms.create);
    cold.push(facts.full.check.ms[0]);
    await page.offline();
  }
  for (let at = 0; at < WARM; at += 1) warm.push((await page.embed([TEXT]))[0].ms);
  const right = await asTheServer(page);
  const before = await page.embed(TEXTS);
  await page.driver.run('async () => { await akidb.tryGpu(); }');
  const { gpu } = await page.driver.run('async () => akidb.facts');
  const kept = await withoutNetwork(page, relay, before);
  return {
    load_ms: loads[0], load_kept_ms: p95(loads.slice(1)), inference_cold_p95_ms: p95(cold), inference_warm_p95_ms: p95(warm), threads: facts.full.threads,
    memory_mb: facts.memory === undefined ? null : facts.memory / 1e6, worst_of_check: facts.full.check.worst, as_the_server: right, offline: kept, webgpu: gpu.used, webgpu_said: gpu,
  };
}

// The worst cosine to what the server answers; null where it answers nothing.
async function asTheServer(page) {
  const server = await page.embed(TEXTS, 'server');
  if (server.fault) return null;
  const own = await page.embed(TEXTS);
  return Math.min(...own.map((one, at) => cosine(one.vector, server[at].vector)));
}

async function withoutNetwork(page, relay, before) {
  await relay.close();
  try {
    await page.driver.reload();
    await page.full();
    const after = await page.embed(TEXTS);
    return after.every((one, at) => cosine(one.vector, before[at].vector) > 0.9999);
  } catch {
    return false;
  } finally {
    await relay.reopen();
  }
}

async function one(engine) {
  let driver;
  const relay = await startRelay(options.url);
  try {
    driver = await ENGINES[engine]();
    const { version } = driver;
    if (major(engine, version) < MINIMUM[engine]) return { engine, version, passed: false, why: `${version} is older than ${MINIMUM[engine]}` };
    const found = await visits(driver, relay.url, relay);
    const wrong = [
      found.offline || 'it does not embed after a reload without the network',
      found.as_the_server === null || found.as_the_server >= SERVER_AGREES || `its vectors are not the server's: worst cosine ${found.as_the_server}`,
    ].filter((said) => said !== true);
    return { engine, version, passed: wrong.length === 0, why: wrong.join('; ') || undefined, ...found };
  } catch (bad) {
    return bad instanceof Unable ? { engine, skipped: bad.message } : { engine, passed: false, why: bad.message };
  } finally {
    await driver?.close();
    await relay.close();
  }
}

const engines = [];
for (const engine of options.engine ?? Object.keys(ENGINES)) engines.push(await one(engine));
const ran = engines.filter((found) => found.load_ms !== undefined);
const worst = (name) => { const values = ran.map((found) => found[name]).filter((value) => value !== null); return values.length ? Math.max(...values) : null; };
const document = {
  schema: 'akidb-edge/validate-browser/v1', url: options.url, machine: `${cpus().length} x ${cpus()[0].model}`, engines,
  measures: {
    'browser.engines_passed': engines.filter((found) => found.passed).length,
    'browser.load': worst('load_ms'),
    'browser.inference_cold_p95': worst('inference_cold_p95_ms'),
    'browser.inference_warm_p95': worst('inference_warm_p95_ms'),
    'browser.memory': worst('memory_mb'),
    'browser.webgpu_passed': ran.filter((found) => found.webgpu).length,
  },
  missing: worst('memory_mb') === null ? { 'browser.memory': 'only Chromium measures the memory of a page' } : {},
};
const text = `${JSON.stringify(document, null, 1)}\n`;
if (options.out) writeFileSync(options.out, text);
else process.stdout.write(text);
process.exitCode = engines.some((found) => found.passed === false) ? 1 : 0;
