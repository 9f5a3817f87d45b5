// Registers the service worker and passes it the URLs that this page needs offline.

const TRIES = 5;
const PAUSE_MS = 300;

export async function keepPage(script, addresses) {
  if (!('serviceWorker' in navigator)) return { kept: false, why: 'this browser has no service workers here, so the page needs the network' };
  try {
    await navigator.serviceWorker.register(script, { scope: './' });
    const { active } = await navigator.serviceWorker.ready;
    const { port1, port2 } = new MessageChannel();
    const answer = new Promise((done) => { port1.onmessage = ({ data }) => done(data); });
    active.postMessage({ addresses }, [port2]);
    const said = await answer;
    return said.kept ? await proven(addresses) : said;
  } catch (bad) {
    return { kept: false, why: `the browser refuses to keep the page: ${bad.message}` };
  }
}

// The page is offline-ready only after the service worker has answered: in Firefox, the first request after activation can fail.
async function proven([page]) {
  const site = new URL('site.json', page);
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    if (await fetch(site).then((one) => one.ok, () => false)) return { kept: true };
    await new Promise((done) => setTimeout(done, PAUSE_MS));
  }
  return { kept: false, why: 'the service worker does not answer' };
}

export async function forgetPage() {
  for (const one of (await navigator.serviceWorker?.getRegistrations()) ?? []) await one.unregister();
  for (const name of await caches.keys()) if (name.startsWith('akidb-edge-')) await caches.delete(name);
}
