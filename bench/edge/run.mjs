// How much the function at the edge adds to ONNX Runtime itself: cold (import, load, first answer) and warm, each in a process of its own.
//
//   node bench/edge/run.mjs --package UNPACKED [--transformers FOLDER_WITH_NODE_MODULES --model FOLDER] [--rounds 5]
//
// CPU time is compared beside wall time: on a machine with other work the wall says more about the others. The programs take turns.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values: flags } = parseArgs({
  options: { package: { type: 'string' }, transformers: { type: 'string' }, model: { type: 'string' }, rounds: { type: 'string', default: '5' } },
});
const ONE = path.join(path.dirname(fileURLToPath(import.meta.url)), 'one.mjs');
const programs = ['raw', 'function', 'static', ...(flags.transformers ? ['transformers'] : [])];
const found = Object.fromEntries(programs.map((name) => [name, []]));

for (let round = 0; round < Number(flags.rounds); round += 1) {
  for (const name of programs) {
    const words = [ONE, name, path.resolve(flags.package), path.resolve(flags.transformers ?? '.'), path.resolve(flags.model ?? '.')];
    const run = spawnSync(process.execPath, words, { encoding: 'utf8', maxBuffer: 1 << 24 });
    if (run.status !== 0) throw new Error(`${name}: ${run.stderr}`);
    found[name].push(JSON.parse(run.stdout.trim().split('\n').at(-1)));
  }
}

const median = (values) => values.toSorted((one, other) => one - other)[values.length >> 1];
const columns = Object.keys(found.raw[0]);
const table = Object.fromEntries(programs.map((name) => [name, Object.fromEntries(columns.map((column) => [column, median(found[name].map((one) => one[column] ?? NaN))]))]));
const size = fs.readdirSync(path.resolve(flags.package), { recursive: true }).reduce((sum, name) => sum + (fs.statSync(path.join(flags.package, name)).isFile() ? fs.statSync(path.join(flags.package, name)).size : 0), 0);
console.log(`node ${process.versions.node}, ${os.cpus()[0].model}, ${os.cpus().length} cores, load ${os.loadavg()[0].toFixed(1)}; package ${(size / 1e6).toFixed(1)} MB unpacked; medians of ${flags.rounds} processes`);
console.log(['program'.padEnd(14), ...columns.map((column) => column.padStart(16))].join(''));
for (const name of programs) console.log([name.padEnd(14), ...columns.map((column) => table[name][column].toFixed(column.includes('MB') ? 0 : 3).padStart(16))].join(''));
console.log(`function / raw, cold ms cpu: ${(table.function['cold ms cpu'] / table.raw['cold ms cpu']).toFixed(2)}`);
const paired = Array.from({ length: 3 }, () => {
  const run = spawnSync(process.execPath, [ONE, 'paired', path.resolve(flags.package)], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(run.stderr);
  return JSON.parse(run.stdout.trim().split('\n').at(-1));
});
const marks = Object.keys(paired[0]).filter((name) => name.startsWith('ratio'));
for (const mark of marks) console.log(`function / raw, warm, CPU time in one process, ${mark.slice(6)} (tokens, percentile): ${median(paired.map((one) => one[mark])).toFixed(2)}`);
