// The service worker caches the page itself. Files with a hash in their name come from the cache; the page, its list of models and
// their pointers come from the network if it is available. The page stores the models (store.js).

const CACHE = 'akidb-edge-page';
const HASHED = /\/assets\/[^/]+\.[0-9a-f]{16}\.[a-z]+$|\/manifests\/[0-9a-f]{64}\.json$/;
const FRESH = /\/site\.json$|\/current\.json$/;
const OURS = /\/assets\//;

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

const isPage = (request) => request.mode === 'navigate' && new URL(request.url).href.split(/[?#]/)[0].startsWith(self.registration.scope);

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin) return;
  if (HASHED.test(url.pathname)) event.respondWith(fromCache(request));
  else if (FRESH.test(url.pathname)) event.respondWith(fromNetwork(request, request.url));
  else if (isPage(request) && /\/(index\.html)?$/.test(url.pathname)) event.respondWith(fromNetwork(request, `${url.origin}${url.pathname}`));
});

// Whether a response is the file that its address names by hash. The sign-in page of a network answers 200 for everything, and a store may
// be damaged; what is kept under such a name is never asked for again.
async function isNamed(url, response) {
  const [, name] = /([0-9a-f]{16,64})\.[a-z]+$/.exec(new URL(url).pathname);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await response.clone().arrayBuffer()));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('').startsWith(name);
}

async function fromCache(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request.url);
  if (kept && (await isNamed(request.url, kept))) return kept;
  if (kept) await cache.delete(request.url);
  // The browser's own cache may have the same.
  return kept ? fetch(request, { cache: 'reload' }) : fetch(request);
}

async function keepHashed(cache, url) {
  const kept = await cache.match(url);
  if (kept && (await isNamed(url, kept))) return;
  const answer = await fetch(url, kept ? { cache: 'reload' } : {});
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}`);
  if (!(await isNamed(url, answer))) throw new Error(`${url} is another file than its name says`);
  await cache.put(url, answer);
}

async function fromNetwork(request, key) {
  try {
    const response = await fetch(request);
    // A failing server can return an error page.
    return response.status >= 500 ? (await kept(request, key)) ?? response : response;
  } catch (bad) {
    const found = await kept(request, key);
    if (found) return found;
    throw bad;
  }
}

// The page is the same with and without its file name in the URL.
async function kept(request, key) {
  const others = request.mode === 'navigate' ? ['', 'index.html'].map((name) => self.registration.scope + name) : [];
  for (const url of [key, ...others]) {
    const found = await caches.match(url, { cacheName: CACHE });
    if (found) return found;
  }
  return undefined;
}

// The page sends the list of its files. Those without a hash are fetched again and stored last, so that the cached page never refers to a missing file.
async function keep(addresses) {
  const cache = await caches.open(CACHE);
  const hashed = addresses.filter((url) => HASHED.test(new URL(url).pathname));
  for (const url of hashed) await keepHashed(cache, url);
  const fresh = addresses.filter((url) => !hashed.includes(url));
  const answers = await Promise.all(fresh.map((url) => fetch(url, { cache: 'no-cache' })));
  const bad = answers.find((one) => !one.ok);
  if (bad) throw new Error(`${bad.url} answers ${bad.status}`);
  await Promise.all(fresh.map((url, at) => cache.put(url, answers[at])));
  // Files of earlier versions of the page.
  for (const { url } of await cache.keys()) if (OURS.test(url) && !addresses.includes(url)) await cache.delete(url);
}

self.addEventListener('message', (event) => {
  const [port] = event.ports;
  const done = keep(event.data.addresses).then(
    () => port.postMessage({ kept: true }),
    (bad) => port.postMessage({ kept: false, why: `the page cannot be kept: ${bad.message}` }),
  );
  event.waitUntil(done);
});
