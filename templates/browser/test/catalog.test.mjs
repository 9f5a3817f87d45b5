// The way from the list of models to the files of one.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import { chosen, readModel, readSite } from '../src/catalog.js';

const sha256 = (data) => createHash('sha256').update(data).digest('hex');
const POINTER = 'https://edge.example/models/m/current.json';
const manifest = JSON.stringify({ format: 2, model: 'm', version: 'v', files: [{ path: '1_Pooling/config.json', size: 1, sha256: 'b' }, { path: 'model_int8.onnx', size: 2, sha256: 'a' }] });
const pointer = { format: 2, model: 'm', version: 'v', manifest: { path: `manifests/${sha256(manifest)}.json`, size: manifest.length, sha256: sha256(manifest) } };

function serve(t, answers) {
  t.mock.method(globalThis, 'fetch', async (url) => {
    const body = answers[String(url)];
    if (body === undefined) throw new TypeError('network');
    return typeof body === 'number' ? new Response('', { status: body }) : new Response(body);
  });
}

test('a model is found by its pointer, and its graph among its files', async (t) => {
  serve(t, { [POINTER]: JSON.stringify(pointer), [`https://edge.example/models/m/${pointer.manifest.path}`]: manifest });
  const model = await readModel({ name: 'm', pointer: POINTER });
  assert.equal(model.graph.path, 'model_int8.onnx');
  assert.equal(model.files.get('1_Pooling/config.json').url, 'https://edge.example/models/m/b/1_Pooling/config.json');
});

test('a list of files that is not what the pointer says is refused', async (t) => {
  serve(t, { [POINTER]: JSON.stringify(pointer), [`https://edge.example/models/m/${pointer.manifest.path}`]: manifest.replace('"a"', '"c"') });
  await assert.rejects(readModel({ name: 'm', pointer: POINTER }), { code: 'DAMAGED' });
});

test('newer formats, missing objects, no network: each has its answer', async (t) => {
  serve(t, { [POINTER]: JSON.stringify({ ...pointer, format: 3 }) });
  await assert.rejects(readModel({ name: 'm', pointer: POINTER }), { code: 'TOO_NEW' });
  t.mock.restoreAll();
  serve(t, { [POINTER]: 403 });
  await assert.rejects(readModel({ name: 'm', pointer: POINTER }), { code: 'REFUSED' });
  t.mock.restoreAll();
  serve(t, {});
  await assert.rejects(readModel({ name: 'm', pointer: POINTER }), { code: 'OFFLINE' });
});

test('the list of models is read, and an unknown name answered with those that are there', async (t) => {
  serve(t, { 'https://edge.example/site.json': JSON.stringify({ title: 'T', models: [{ name: 'm', pointer: '/models/m/current.json' }] }) });
  const site = await readSite('https://edge.example/site.json');
  assert.equal(chosen(site, null).pointer, POINTER);
  assert.throws(() => chosen(site, 'other'), { code: 'UNKNOWN_MODEL', message: /there are: m\./ });
  assert.throws(() => chosen({ models: [] }, null), { code: 'NO_MODEL' });
});
