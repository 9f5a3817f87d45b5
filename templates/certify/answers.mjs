// Prints what one tier returns for a list of texts: token ids and vectors (32-bit floats, little endian, base64), as JSON. Reads the
// texts from standard input. `akidb-edge models certify` starts it once for each tier, so that each is called as its clients call it.
//
//   node answers.mjs --tier server-fp32|server-int8|gpu --program akidb-edge --models FOLDER --model NAME [--onnxruntime FILE]
//   node answers.mjs --tier edge|static --package FOLDER
//   node answers.mjs --tier workers --package FOLDER --workerd PROGRAM --worker FOLDER

import fs from 'node:fs';
import { parseArgs } from 'node:util';

import { fromPackage } from './package.mjs';
import { fromServer } from './server.mjs';
import { fromWorker } from './worker.mjs';

const options = Object.fromEntries(
  ['tier', 'program', 'models', 'model', 'onnxruntime', 'package', 'workerd', 'worker'].map((name) => [name, { type: 'string' }]),
);
const { values: flags } = parseArgs({ options });
const texts = JSON.parse(fs.readFileSync(0, 'utf8'));

const RUNNERS = {
  'server-fp32': () => fromServer(texts, flags, ['--variant', 'fp32']),
  'server-int8': () => fromServer(texts, flags, ['--variant', 'int8']),
  gpu: () => fromServer(texts, flags, ['--device', 'cuda']),
  edge: () => fromPackage(texts, flags.package, 'full'),
  static: () => fromPackage(texts, flags.package, 'static'),
  workers: () => fromWorker(texts, flags),
};

const run = RUNNERS[flags.tier];
if (!run) throw new TypeError(`unknown tier ${flags.tier}`);
const answers = JSON.stringify({ tier: flags.tier, ...(await run()) });
// A handle of the tier may still be open, so the program ends itself: not before the last byte is in the pipe, which holds 64 KiB.
process.stdout.write(answers, () => process.exit(0));
