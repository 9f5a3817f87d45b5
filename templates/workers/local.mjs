// Starts the worker in Cloudflare's runtime on this machine, with the files of an unpacked package of the function at the edge.

import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const STARTED_MS = 30_000;

async function freePort() {
  const server = net.createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** The files of the worker, and what kind of module each is. */
function modules(folder) {
  const about = JSON.parse(fs.readFileSync(path.join(folder, 'model.json'), 'utf8'));
  if (!about.files.static) throw new Error('the package has no static tier');
  const tokenizer = 'node_modules/@huggingface/tokenizers/dist/tokenizers.mjs';
  return [
    ['worker.mjs', 'esModule', path.join(HERE, 'worker.mjs')],
    ...['static', 'tokens', 'vectors'].map((name) => [`inference/${name}.mjs`, 'esModule', path.join(folder, `inference/${name}.mjs`)]),
    ['@huggingface/tokenizers', 'esModule', path.join(folder, tokenizer)],
    ['model.json', 'json', path.join(folder, 'model.json')],
    ['tokens.json', 'json', path.join(folder, about.files.tokens.path)],
    ['static.bin', 'data', path.join(folder, about.files.static.path)],
  ];
}

function configured(folder, port, origin) {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'akidb-worker-'));
  const listed = modules(folder).map(([name, kind, file], at) => {
    // The files are copied next to the configuration, which can only embed files below its folder.
    fs.copyFileSync(file, path.join(work, `part${at}`));
    return `    (name = ${JSON.stringify(name)}, ${kind} = embed "part${at}"),`;
  });
  const bindings = origin ? `,\n  bindings = [(name = "ORIGIN", text = ${JSON.stringify(origin)})]` : '';
  const text = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker), (name = "internet", network = (allow = ["local"]))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]
);
const worker :Workerd.Worker = (
  modules = [
${listed.join('\n')}
  ],
  compatibilityDate = "2026-11-01"${bindings}
);
`;
  fs.writeFileSync(path.join(work, 'config.capnp'), text);
  return work;
}

/** The runtime's program, as npm lays it out. */
function program(require) {
  return path.join(path.dirname(require.resolve('@cloudflare/workerd-linux-64/package.json', { paths: [HERE] })), 'bin/workerd');
}

export async function started({ folder, workerd, origin, spawn, require }) {
  const port = await freePort();
  const work = configured(folder, port, origin);
  const child = spawn(workerd ?? program(require), ['serve', path.join(work, 'config.capnp')], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { said = (said + data).slice(-5000); });
  const base = `http://127.0.0.1:${port}`;
  const end = async () => {
    child.kill('SIGKILL');
    await new Promise((done) => (child.exitCode === null && child.signalCode === null ? child.on('exit', done) : done()));
    fs.rmSync(work, { recursive: true });
  };
  for (const until = Date.now() + STARTED_MS; ; ) {
    const answer = await fetch(`${base}/edge/health`).catch(() => null);
    if (answer?.ok) break;
    if (child.exitCode !== null || Date.now() > until) {
      await end();
      throw new Error(`workerd does not answer: ${said.slice(-500)}`);
    }
    await new Promise((done) => setTimeout(done, 50));
  }
  const ask = async (value) => {
    const answer = await fetch(`${base}/api/v1/embed`, { method: 'POST', body: JSON.stringify(value), headers: { 'content-type': 'application/json' } });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`the worker answered ${answer.status}: ${text.slice(0, 300)}`);
    return JSON.parse(text);
  };
  return { base, ask, end, pid: child.pid, version: '1.20261117.1' };
}
