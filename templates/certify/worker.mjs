// Runs the worker (templates/workers) in Cloudflare's runtime and calls it over HTTP.

import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const AT_A_TIME = 32;

export async function fromWorker(texts, { package: folder, workerd, worker }) {
  const { started } = await import(pathToFileURL(path.join(path.resolve(worker), 'local.mjs')));
  const server = await started({ folder: path.resolve(folder), workerd, spawn, require: createRequire(import.meta.url) });
  try {
    const [ids, vectors] = [[], []];
    let last;
    for (let at = 0; at < texts.length; at += AT_A_TIME) {
      last = await server.ask({ inputs: texts.slice(at, at + AT_A_TIME), tier: 'static', encoding: 'base64', ids: true });
      vectors.push(...last.embeddings);
      ids.push(...last.ids);
    }
    return { model: last.model, version: last.version, files: last.files, runs_on: `workerd ${server.version}`, ids, vectors };
  } finally {
    await server.end();
  }
}
