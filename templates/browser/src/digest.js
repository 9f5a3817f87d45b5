// SHA-256 of bytes, by the browser.

import { Fault } from './fault.js';

export async function sha256(bytes) {
  if (!globalThis.crypto?.subtle) {
    throw new Fault('INSECURE', 'This page was not loaded over HTTPS, so the browser cannot check hashes.', 'open it over https:// or on localhost');
  }
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
