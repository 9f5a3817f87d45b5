// Registers the service worker and gives it the addresses that this page needs without a network.

export async function keepPage(script, addresses) {
  if (!('serviceWorker' in navigator)) return { kept: false, why: 'this browser has no service workers here, so the page needs the network' };
  try {
    await navigator.serviceWorker.register(script, { scope: './' });
    const { active } = await navigator.serviceWorker.ready;
    const { port1, port2 } = new MessageChannel();
    const answer = new Promise((done) => { port1.onmessage = ({ data }) => done(data); });
    active.postMessage({ addresses }, [port2]);
    return await answer;
  } catch (bad) {
    return { kept: false, why: `the browser refuses to keep the page: ${bad.message}` };
  }
}

export async function forgetPage() {
  for (const one of (await navigator.serviceWorker?.getRegistrations()) ?? []) await one.unregister();
  for (const name of await caches.keys()) if (name.startsWith('akidb-edge-')) await caches.delete(name);
}
