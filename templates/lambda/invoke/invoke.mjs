// Runs an unpacked package under the conditions of Lambda@Edge: AWS's runtime interface emulator, the time limit, and a control group
// with the function's memory. Reads events as a JSON list from standard input and writes the results as JSON to standard output.
//
//   node invoke.mjs --folder PACKAGE --emulator aws-lambda-rie --memory 1769 --timeout 30 < events.json

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const STARTED_MS = 20_000;
const GROUPS = '/sys/fs/cgroup';

const { values: flags } = parseArgs({
  options: {
    folder: { type: 'string' },
    emulator: { type: 'string', default: 'aws-lambda-rie' },
    memory: { type: 'string', default: '1769' },
    timeout: { type: 'string', default: '30' },
    region: { type: 'string', default: 'us-east-1' },
  },
});

/** A control group with a limit of memory, or null where this user cannot make one. */
function memoryGroup(megabytes) {
  const name = `akidb-edge-invoke-${process.pid}`;
  const bytes = String(megabytes * 1024 * 1024);
  const kinds = [
    { folder: path.join(GROUPS, 'memory', name), limit: 'memory.limit_in_bytes', swap: 'memory.memsw.limit_in_bytes', peak: 'memory.max_usage_in_bytes' },
    { folder: path.join(GROUPS, name), limit: 'memory.max', swap: 'memory.swap.max', peak: 'memory.peak' },
  ];
  for (const { folder, limit, swap, peak } of kinds) {
    const there = fs.existsSync(path.join(path.dirname(folder), limit)) || fs.existsSync(path.join(path.dirname(folder), 'cgroup.controllers'));
    if (!there) continue;
    try {
      fs.mkdirSync(folder);
      fs.writeFileSync(path.join(folder, limit), bytes);
    } catch {
      fs.rmSync(folder, { recursive: true, force: true, maxRetries: 0 });
      continue;
    }
    try {
      fs.writeFileSync(path.join(folder, swap), limit === 'memory.max' ? '0' : bytes);
    } catch {
      // A kernel without swap accounting has no such limit.
    }
    return { folder, peak: () => Number(fs.readFileSync(path.join(folder, peak), 'utf8')) };
  }
  return null;
}

async function freePort() {
  const server = net.createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

async function accepts(port, child, log) {
  const end = Date.now() + STARTED_MS;
  while (Date.now() < end) {
    if (child.failed || child.exitCode !== null) throw new Error(`${flags.emulator} cannot be started: ${child.failed ?? log().trim().split('\n').at(-1)}`);
    const open = await new Promise((done) => {
      const socket = net.connect(port, '127.0.0.1', () => done(true));
      socket.on('error', () => done(false));
      socket.on('connect', () => socket.destroy());
    });
    if (open) return;
    await new Promise((done) => setTimeout(done, 20));
  }
  throw new Error(`${flags.emulator} does not accept connections`);
}

function emulator(group, port, runtimePort) {
  const command = [flags.emulator, '--log-level', 'error', '--runtime-interface-emulator-address', `127.0.0.1:${port}`,
    '--runtime-api-address', `127.0.0.1:${runtimePort}`, process.execPath, path.join(HERE, 'runtime.mjs')];
  // The shell joins the group and executes the emulator, so that its child processes are in the group, too.
  const inside = group ? ['/bin/sh', '-c', 'echo $$ >"$0" && exec "$@"', path.join(group.folder, 'cgroup.procs'), ...command] : command;
  const env = {
    PATH: process.env.PATH,
    HOME: '/tmp',
    LAMBDA_TASK_ROOT: path.resolve(flags.folder),
    _HANDLER: 'index.handler',
    AWS_REGION: flags.region,
    AWS_LAMBDA_FUNCTION_NAME: 'us-east-1.akidb-edge-inference',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: flags.memory,
    AWS_LAMBDA_FUNCTION_TIMEOUT: flags.timeout,
  };
  return spawn(inside[0], inside.slice(1), { env, cwd: path.resolve(flags.folder), stdio: ['ignore', 'pipe', 'pipe'], detached: true });
}

async function invoked(port, event) {
  const began = performance.now();
  const answer = await fetch(`http://127.0.0.1:${port}/2015-03-31/functions/function/invocations`, { method: 'POST', body: JSON.stringify(event) });
  const text = await answer.text();
  const milliseconds = Math.round((performance.now() - began) * 100) / 100;
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return { milliseconds, failed: text.slice(0, 500) || `status ${answer.status}` };
  }
  // The emulator answers 200 as well when the function threw, or its process ended (it was killed for its memory, say).
  const failed = value?.errorMessage !== undefined && value.status === undefined && value.uri === undefined;
  return failed ? { milliseconds, failed: [value.errorType, value.errorMessage].filter(Boolean).join(': ').slice(0, 500) } : { milliseconds, response: value };
}

/** What the emulator reports of each run: durations and the memory that was set. */
function reports(log) {
  const lines = log.split('\n').filter((line) => line.startsWith('REPORT'));
  return lines.map((line) => Object.fromEntries([...line.matchAll(/(Init Duration|Billed Duration|Duration): ([\d.]+) ms/g)].map(([, name, value]) => [name.toLowerCase().replace(' ', '_').concat('_ms'), Number(value)])));
}

async function main() {
  const events = JSON.parse(fs.readFileSync(0, 'utf8'));
  const group = memoryGroup(Number(flags.memory));
  const [port, runtimePort] = [await freePort(), await freePort()];
  const child = emulator(group, port, runtimePort);
  let log = '';
  child.on('error', (bad) => { child.failed = bad.message; });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { log = (log + data).slice(-200_000); });
  const answers = [];
  try {
    await accepts(port, child, () => log);
    for (const event of events) answers.push(await invoked(port, event));
    const found = { answers, reports: reports(log), memory: { limit_mb: group ? Number(flags.memory) : null, peak_bytes: group ? group.peak() : null }, log: log.split('\n').filter((line) => line.startsWith('{')) };
    process.stdout.write(`${JSON.stringify(found)}\n`);
  } finally {
    if (child.pid && child.exitCode === null) {
      const ended = new Promise((done) => child.on('exit', done));
      process.kill(-child.pid, 'SIGKILL');
      await ended;
    }
    for (let turn = 0; group && turn < 50; turn += 1) {
      try {
        fs.rmdirSync(group.folder);
        break;
      } catch {
        await new Promise((done) => setTimeout(done, 20));
      }
    }
  }
}

await main();
