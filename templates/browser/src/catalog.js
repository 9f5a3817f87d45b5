// Resolves a model of the page's list to its files: site.json, pointer, manifest (docs/model-layout.md). Each hash is checked.

import { Fault } from './fault.js';
import { sha256 } from './digest.js';

const FORMAT = 2;
const GRAPHS = ['model_int8.onnx', 'onnx/model_int8.onnx', 'model_quantized.onnx', 'onnx/model_quantized.onnx', 'model.onnx', 'onnx/model.onnx'];
const SITE_FIELDS = ['models', 'title'];

async function json(url, what) {
  let response;
  try {
    response = await fetch(url);
  } catch {
    throw new Fault('OFFLINE', `${what} cannot be loaded: the network does not answer.`, 'connect once, so that the page can be kept for later');
  }
  if (!response.ok) throw new Fault('REFUSED', `${what}: the server answers ${response.status}.`, 'deploy the models, then reload the page');
  const bytes = await response.arrayBuffer();
  try {
    return { bytes, value: JSON.parse(new TextDecoder().decode(bytes)) };
  } catch {
    throw new Fault('DAMAGED', `${what} is no JSON.`, 'deploy it again');
  }
}

export async function readSite(url) {
  const { value } = await json(url, 'site.json');
  if (SITE_FIELDS.some((field) => value[field] === undefined)) throw new Fault('DAMAGED', 'site.json lacks its list of models.', 'deploy the page again');
  return { ...value, models: value.models.map((model) => ({ ...model, pointer: new URL(model.pointer, url).href })) };
}

export function chosen(site, name) {
  if (!site.models.length) throw new Fault('NO_MODEL', 'This page has no models.', 'add a model to the plan, or to the store of the server');
  if (!name) return site.models[0];
  const found = site.models.find((model) => model.name === name);
  const names = site.models.map((model) => model.name).join(', ');
  if (!found) throw new Fault('UNKNOWN_MODEL', `There is no model ${JSON.stringify(name.slice(0, 80))}; there are: ${names}.`, 'choose one of these');
  return found;
}

// The files of the current version, by path, each with its address.
export async function readModel({ name, pointer }) {
  const { value: current } = await json(pointer, `The pointer of ${name}`);
  if (current.format !== FORMAT) throw new Fault('TOO_NEW', `${name} has format ${current.format}; this page reads ${FORMAT}.`, 'reload the page');
  const { bytes, value: manifest } = await json(new URL(current.manifest.path, pointer), `The list of files of ${name}`);
  if ((await sha256(bytes)) !== current.manifest.sha256) throw new Fault('DAMAGED', `The list of files of ${name} is not what its pointer says.`, 'reload the page');
  const files = new Map(manifest.files.map((file) => {
    const path = file.path.split('/').map(encodeURIComponent).join('/');
    return [file.path, { ...file, url: new URL(`${file.sha256}/${path}`, pointer).href }];
  }));
  const graph = GRAPHS.map((path) => files.get(path)).find(Boolean);
  return { name, version: manifest.version, files, graph, lists: [pointer, new URL(current.manifest.path, pointer).href] };
}
