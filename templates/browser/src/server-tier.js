// The server on the same origin, for browsers that cannot run the model or return wrong vectors.

import { Fault } from './fault.js';
import { floats } from './check.js';

export async function embedOnServer(url, model, texts, truncate) {
  let response;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model, texts, truncate, encoding: 'base64' }),
    });
  } catch {
    throw new Fault('OFFLINE', 'The server does not answer.', 'check the network, then press Embed again');
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    const said = answer.error?.message ?? answer.error ?? answer.message ?? 'without a reason';
    const next = response.status === 401 || response.status === 403 ? 'this server wants an API key, which a page cannot keep' : 'try again later';
    throw new Fault('SERVER', `The server answers ${response.status}: ${said}`, next);
  }
  // The function at the edge always returns numbers; the server returns the requested encoding.
  return answer.embeddings.map((vector) => (typeof vector === 'string' ? floats(vector) : Float32Array.from(vector)));
}
