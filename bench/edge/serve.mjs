// A package's function in a process of its own, for hits.py: an event a line on standard input, its answer a line on standard output.
//
//   node serve.mjs UNPACKED

import path from 'node:path';
import readline from 'node:readline';
import { pathToFileURL } from 'node:url';

const { handler } = await import(pathToFileURL(path.join(path.resolve(process.argv[2]), 'index.mjs')));
for await (const line of readline.createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await handler(JSON.parse(line)))}\n`);
}
