// Drives the browsers of this machine, one after the other, through the page as the plan of week 13 serves it; prints a table.
//
//   node suite.mjs [--engine chromium|firefox|webkit] [--only WORD] [--server ADDRESS] [--json FILE]
//
// Ends with 1 when a check failed. A browser that cannot be driven is skipped with the reason.

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ENGINES, Unable } from './drivers.mjs';
import { startEdge } from './edge.mjs';
import { ROOT, models } from './models.mjs';
import { Page } from './page.mjs';
import { checks as visit } from './checks/visit.mjs';
import { checks as faults } from './checks/faults.mjs';
import { checks as limits } from './checks/limits.mjs';
import { checks as looks } from './checks/looks.mjs';

const { values: options } = parseArgs({ options: { engine: { type: 'string', multiple: true }, only: { type: 'string' }, server: { type: 'string' }, json: { type: 'string' } } });
const CHECKS = [...visit, ...faults, ...limits, ...looks].filter(([name]) => !options.only || name.includes(options.only));
const DIST = join(ROOT, 'templates/browser/dist');
const SHOTS = join(import.meta.dirname, 'screenshots');
class Skipped extends Error {}

async function one(engine, found) {
  let driver;
  try {
    driver = await ENGINES[engine]();
  } catch (bad) {
    if (!(bad instanceof Unable)) throw bad;
    return { engine, skipped: bad.message, rows: [] };
  }
  const edge = await startEdge({ plan: join(ROOT, 'plans/week13.yaml'), page: DIST, models: found.list, server: options.server });
  // What this browser showed in an earlier run; that of the others stays.
  for (const name of readdirSync(SHOTS)) if (name.startsWith(`${engine}-`)) rmSync(join(SHOTS, name));
  const page = new Page(driver, edge.url);
  page.shot = (name) => join(SHOTS, `${engine}-${name}.png`);
  const report = {};
  const skip = (why) => { throw new Skipped(why); };
  const rows = [];
  for (const [name, check] of CHECKS) {
    const began = Date.now();
    const row = await check({ page, edge, report, skip, models: found.list, dist: DIST })
      .then(() => ({ result: 'ok' }), (bad) => (bad instanceof Skipped ? { result: 'skipped', why: bad.message } : { result: 'failed', why: bad.message, stack: bad.stack }));
    rows.push({ name, ...row, seconds: (Date.now() - began) / 1000 });
    process.stderr.write(`${engine}: ${row.result}: ${name}${row.why ? `: ${row.why}` : ''} (${((Date.now() - began) / 1000).toFixed(1)} s)\n`);
  }
  const complaints = [...new Set(driver.said)].filter((text) => !/Failed to load resource|net::ERR|NetworkError/.test(text));
  const { version } = driver;
  await driver.close();
  await edge.close();
  return { engine, version, rows, report, complaints };
}

const found = models();
mkdirSync(SHOTS, { recursive: true });
const results = [];
try {
  for (const engine of options.engine ?? Object.keys(ENGINES)) results.push(await one(engine, found));
} finally {
  rmSync(found.scratch, { recursive: true, force: true });
}
const machine = `${cpus().length} x ${cpus()[0].model}`;
const document = { schema: 'akidb-edge/browsers/v1', machine, results };
if (options.json) writeFileSync(options.json, `${JSON.stringify(document, null, 1)}\n`);
console.log(machine);
for (const { engine, version, skipped, rows, report, complaints } of results) {
  console.log(`\n${engine} ${version ?? ''}${skipped ? `skipped: ${skipped}` : ''}`);
  for (const { name, result, why } of rows) console.log(`  ${result.padEnd(8)} ${name}${why ? `: ${why}` : ''}`);
  if (report) console.log(`  ${JSON.stringify(report)}`);
  for (const text of complaints ?? []) console.log(`  said     ${text}`);
}
process.exitCode = results.some(({ rows }) => rows.some(({ result }) => result === 'failed')) ? 1 : 0;
