// node --test templates/lambda/invoke/: what becomes of the emulator's answers, with a program in its place that answers as it does.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const INVOKE = path.join(path.dirname(fileURLToPath(import.meta.url)), 'invoke.mjs');
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'akidb-edge-'));
after(() => fs.rmSync(work, { recursive: true }));

/** Answers each event with itself, as text where it is one: all with status 200, as the emulator does. */
const EMULATOR = `#!${process.execPath}
const http = require('node:http');
const [host, port] = process.argv[process.argv.indexOf('--runtime-interface-emulator-address') + 1].split(':');
http.createServer((request, response) => {
  let text = '';
  request.on('data', (data) => { text += data; });
  request.on('end', () => response.end(typeof JSON.parse(text) === 'string' ? JSON.parse(text) : text));
}).listen(Number(port), host);
`;

function invoked(emulator, events) {
  return spawnSync(process.execPath, [INVOKE, '--folder', work, '--emulator', emulator], { input: JSON.stringify(events), encoding: 'utf8' });
}

test('a function that threw or was killed failed, and one that answered did not', () => {
  const emulator = path.join(work, 'emulator');
  fs.writeFileSync(emulator, EMULATOR, { mode: 0o755 });
  const killed = { errorType: 'Runtime.ExitError', errorMessage: 'Runtime exited with error: signal: killed' };
  const response = { status: '400', body: '{"errorMessage":"of the caller"}' };
  const request = { method: 'POST', uri: '/api/v1/embed' };
  const run = invoked(emulator, [killed, response, request, 'Task timed out after 1.00 seconds', { errorMessage: 'thrown' }]);
  assert.equal(run.status, 0, run.stderr);
  const { answers } = JSON.parse(run.stdout);
  assert.equal(answers[0].failed, 'Runtime.ExitError: Runtime exited with error: signal: killed');
  assert.deepEqual([answers[1].failed, answers[1].response], [undefined, response]);
  assert.deepEqual([answers[2].failed, answers[2].response], [undefined, request]);
  assert.equal(answers[3].failed, 'Task timed out after 1.00 seconds');
  assert.equal(answers[4].failed, 'thrown');
});

test('an emulator that is not there is named at once', () => {
  const run = invoked(path.join(work, 'nothing'), [{}]);
  assert.equal(run.status, 1);
  assert.match(run.stderr, /Error: .*nothing cannot be started/);
});
