// The page as the distribution of a plan would serve it: behaviors, response headers policies, ranges, compression. Files come from
// folders; the API is passed on to a server. Faults can be set for single addresses.

import { createHash } from 'node:crypto';
import { createServer, request as ask } from 'node:http';
import { createReadStream, readFileSync, readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { parse } from 'yaml';

// CloudFront compresses files of these types between these sizes.
const COMPRESSED = /^(text\/|application\/(javascript|json|wasm|xml))/;
const COMPRESSIBLE = [1_000, 10_000_000];
const TYPES = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', mjs: 'text/javascript', css: 'text/css; charset=utf-8', json: 'application/json', gz: 'application/gzip', txt: 'text/plain; charset=utf-8' };
const HIDDEN = /(^|\/)\./;
const sha256 = (data) => createHash('sha256').update(data).digest('hex');

function below(folder) {
  const all = readdirSync(folder, { recursive: true }).map((path) => join(folder, path));
  return all.filter((path) => statSync(path).isFile()).map((path) => relative(folder, path)).filter((path) => !HIDDEN.test(path)).sort();
}

// A folder in the layout of docs/model-layout.md: address to content, as `deploy` writes it.
export function layout(name, folder, left = () => true) {
  const files = below(folder).filter(left).map((path) => {
    const data = readFileSync(join(folder, path));
    return { path, size: data.length, sha256: sha256(data) };
  });
  const version = sha256(files.map(({ path, size, sha256: hash }) => `${path}\n${size}\n${hash}\n`).join('')).slice(0, 16);
  const manifest = JSON.stringify({ format: 2, model: name, version, files });
  const listed = { path: `manifests/${sha256(manifest)}.json`, size: manifest.length, sha256: sha256(manifest) };
  const objects = new Map(files.map((file) => [`/models/${name}/${file.sha256}/${file.path}`, { file: join(folder, file.path), type: 'application/octet-stream' }]));
  objects.set(`/models/${name}/${listed.path}`, { data: manifest, type: 'application/json' });
  objects.set(`/models/${name}/current.json`, { data: JSON.stringify({ format: 2, model: name, version, manifest: listed }), type: 'application/json' });
  return objects;
}

// The `cdn` step of a plan.
function distribution(file) {
  const plan = parse(readFileSync(file, 'utf8'));
  return plan.days.flatMap((day) => day.steps).find((step) => step.kind === 'cdn').with;
}

// `*` and `?` of a path pattern of CloudFront.
const fits = (pattern, path) => new RegExp(`^${pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*').replace(/\?/g, '.')}$`).test(path);

// Headers that a response headers policy adds for viewers.
function added(policy, origin) {
  const headers = { ...policy.custom };
  if (policy.nosniff) headers['x-content-type-options'] = 'nosniff';
  if (policy.hsts_seconds) headers['strict-transport-security'] = `max-age=${policy.hsts_seconds}`;
  if (policy.frame_options) headers['x-frame-options'] = policy.frame_options;
  if (policy.referrer_policy) headers['referrer-policy'] = policy.referrer_policy;
  if (policy.content_security_policy) headers['content-security-policy'] = policy.content_security_policy;
  if (policy.cors?.origins.includes(origin)) headers['access-control-allow-origin'] = origin;
  return headers;
}

// `objects`: address to `{file | data, type}`. `server`: base address for what the plan sends to the regions; null answers 502.
export async function startEdge({ plan, page, models, site = {}, server = null }) {
  const cdn = distribution(plan);
  const objects = new Map();
  for (const path of below(page)) objects.set(`/${path}`, { file: join(page, path), type: TYPES[path.split('.').pop()] ?? 'application/octet-stream' });
  const names = Object.keys(models);
  for (const name of names) for (const [address, object] of layout(name, models[name].folder, models[name].left)) objects.set(address, object);
  const list = names.map((name) => ({ name, pointer: `/models/${name}/current.json` }));
  objects.set('/site.json', { data: JSON.stringify({ format: 1, title: 'AkiDB: embeddings in the browser', stack: 'akidb-week13', embed: '/api/v1/embed', models: list, ...site }), type: 'application/json' });
  const edge = { objects, requests: [], faults: [], bytes: 0, server };
  const http = createServer((request, response) => serve(edge, cdn, request, response));
  await new Promise((done) => http.listen(0, '127.0.0.1', done));
  edge.port = http.address().port;
  edge.url = `http://localhost:${edge.port}/`;
  edge.close = () => new Promise((done) => { http.close(done); http.closeAllConnections(); });
  edge.reopen = () => new Promise((done) => { http.listen(edge.port, '127.0.0.1', done); });
  return edge;
}

function serve(edge, cdn, request, response) {
  const path = decodeURIComponent(new URL(request.url, 'http://edge').pathname);
  const behavior = cdn.behaviors.find((one) => fits(one.path, path)) ?? cdn.default_behavior;
  const policy = cdn.response_headers_policies[behavior.response_headers_policy];
  const headers = policy ? added(policy, request.headers.origin) : {};
  edge.requests.push({ method: request.method, path, range: request.headers.range });
  const fault = edge.faults.find((one) => one.path.test(path) && (one.times === undefined || one.times-- > 0));
  if (fault?.drop) return request.socket.destroy();
  if (fault?.status) return response.writeHead(fault.status, headers).end();
  if (!['page', 'models'].includes(behavior.target)) return passOn(edge, request, response, headers);
  const object = edge.objects.get(path === '/' ? `/${cdn.default_root_object}` : path);
  // A private bucket answers 403 for what is not there.
  if (!object) return response.writeHead(403, { ...headers, 'content-type': 'application/xml' }).end('<Error><Code>AccessDenied</Code></Error>');
  return send(edge, object, request, response, { 'content-type': object.type, 'cache-control': 'public, max-age=60', ...lower(headers) }, fault);
}

const lower = (headers) => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

function send(edge, object, request, response, headers, fault) {
  let data = object.data === undefined ? readFileSync(object.file) : Buffer.from(object.data);
  if (fault?.flip !== undefined) {
    data = Buffer.from(data);
    data[fault.flip] ^= 1;
  }
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
  let status = 200;
  if (range) {
    const [from, to] = [Number(range[1]), Math.min(Number(range[2]), data.length - 1)];
    headers['content-range'] = `bytes ${from}-${to}/${data.length}`;
    data = data.subarray(from, to + 1);
    status = 206;
  } else if (COMPRESSED.test(object.type) && data.length >= COMPRESSIBLE[0] && data.length <= COMPRESSIBLE[1] && /gzip/.test(request.headers['accept-encoding'] ?? '')) {
    data = gzipSync(data);
    headers['content-encoding'] = 'gzip';
  }
  edge.bytes += data.length;
  const whole = () => response.writeHead(status, { ...headers, 'content-length': data.length }).end(request.method === 'HEAD' ? undefined : data);
  if (fault?.wait) setTimeout(whole, fault.wait);
  else whole();
}

function passOn(edge, request, response, headers) {
  if (!edge.server) return response.writeHead(502, headers).end();
  const target = new URL(request.url, edge.server);
  const passed = ask(target, { method: request.method, headers: { ...request.headers, host: target.host } }, (answer) => {
    response.writeHead(answer.statusCode, { ...answer.headers, ...headers });
    answer.pipe(response);
  });
  passed.on('error', () => response.writeHead(502, headers).end());
  return request.pipe(passed);
}
