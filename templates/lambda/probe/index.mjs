// Lambda: sends requests to one host on a clock and answers with what each took. `akidb-edge validate latency --regions` puts it
// into a region, invokes it once and removes it. Node.js 20 and newer, no dependencies, writes no log.
//
// Open model: request n is due at start + n / rate, whatever became of those before, and its latency counts from then. Times are
// microseconds. Redirects are not followed, and no other host than the order's is asked.

import http from 'node:http';
import https from 'node:https';

export const FORMAT = 1;

export const MOST_REQUESTS = 5_000;
const MOST_SECONDS = 840; // Lambda ends a function after 900
const MOST_RATE = 1_000;
const MOST_TIMEOUT_MS = 30_000;
const MOST_CONNECTIONS = 256;
const MOST_URLS = 100;
const MOST_OPENINGS = 50;
const MOST_BODY_BYTES = 16 * 1_048_576; // of one answer
const SPIN_US = 2_000; // timers of Node are exact to a millisecond; the rest is waited for in the loop

const now = () => Number(process.hrtime.bigint() / 1_000n);

/** An order that cannot be carried out. */
export class BadOrder extends Error {
  name = 'BadOrder';
}

function need(holds, message) {
  if (!holds) throw new BadOrder(message);
}

const between = (value, low, high) => Number.isFinite(value) && value >= low && value <= high;
const whole = (value, low, high) => Number.isInteger(value) && between(value, low, high);

/** The order with its addresses read, or a BadOrder. */
export function checked(order) {
  need(order?.format === FORMAT, `format ${FORMAT} of an order is expected`);
  need(whole(order.requests, 1, MOST_REQUESTS), `requests: 1 to ${MOST_REQUESTS}`);
  need(between(order.rate, 0.01, MOST_RATE), `rate: 0.01 to ${MOST_RATE}`);
  need(order.requests / order.rate <= MOST_SECONDS, `requests at this rate take more than ${MOST_SECONDS} s`);
  need(whole(order.timeout_ms, 1, MOST_TIMEOUT_MS), `timeout_ms: 1 to ${MOST_TIMEOUT_MS}`);
  need(whole(order.connections, 1, MOST_CONNECTIONS), `connections: 1 to ${MOST_CONNECTIONS}`);
  need(whole(order.openings, 0, MOST_OPENINGS), `openings: 0 to ${MOST_OPENINGS}`);
  need(Array.isArray(order.urls) && whole(order.urls.length, 1, MOST_URLS), `urls: 1 to ${MOST_URLS}`);
  need(Array.isArray(order.headers), 'headers: a list of [name, value]');
  const urls = order.urls.map((text) => (URL.canParse(text) ? new URL(text) : null));
  for (const url of urls) {
    need(url && ['http:', 'https:'].includes(url.protocol) && !url.username, 'urls: http or https, without a user');
    need(url.origin === urls[0].origin && url.host === order.host, 'urls: all of the host of the order');
  }
  return { ...order, urls };
}

const REFUSED = ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT'];

/** What kind of failure an error is. Certificates have codes of OpenSSL, which come while TLS is set up. */
function failureOf(error, inTls) {
  if (['ENOTFOUND', 'EAI_AGAIN'].includes(error.code)) return 'dns';
  if (REFUSED.includes(error.code)) return 'connect';
  if (inTls) return 'tls';
  return error.code?.startsWith('HPE_') ? 'protocol' : 'reset';
}

/** The times at which a connection had its name, its TCP and its TLS; all null for one that was there. */
function watch(socket, secure) {
  const times = { begun: now(), dns: null, tcp: null, tls: null };
  if (!socket.connecting) return { ...times, reused: true };
  const opened = { ...times, reused: false };
  socket.once('lookup', () => (opened.dns = now()));
  socket.once('connect', () => (opened.tcp = now()));
  if (secure) socket.once('secureConnect', () => (opened.tls = now()));
  return opened;
}

const phases = (opened, secure) => {
  if (!opened || opened.reused) return { new: false, dns: 0, tcp: 0, tls: 0 };
  const name = opened.dns ?? opened.begun;
  return {
    new: true,
    dns: opened.dns === null ? 0 : opened.dns - opened.begun,
    tcp: opened.tcp === null ? 0 : opened.tcp - name,
    tls: secure && opened.tls !== null ? opened.tls - opened.tcp : 0,
  };
};

function cacheOf(headers) {
  const said = headers['x-cache'];
  if (said === undefined) return 'unstated';
  return /hit/i.test(said) ? 'hit' : 'miss';
}

/** One request. Resolves with its sample, whatever became of it. */
function request(order, url, agent, due, start) {
  const secure = url.protocol === 'https:';
  return new Promise((resolve) => {
    const sent = now();
    let opened;
    let ended = false;
    const end = (more) => {
      if (ended) return;
      ended = true;
      clearTimeout(timer);
      const done = now();
      resolve({
        due: due - start,
        late: Math.max(0, sent - due),
        total: done - due,
        first_byte: 0,
        status: 0,
        cache: 'unstated',
        bytes: 0,
        ...phases(opened, secure),
        ...more,
      });
    };
    const call = (secure ? https : http).request(url, { agent, headers: headersOf(order), method: 'GET' });
    const timer = setTimeout(() => {
      end({ failure: 'timeout' });
      call.destroy();
    }, order.timeout_ms - Math.min(order.timeout_ms - 1, Math.max(0, (sent - due) / 1_000)));
    call.on('socket', (socket) => (opened = watch(socket, secure)));
    call.on('error', (error) => {
      const inTls = secure && opened && !opened.reused && opened.tcp !== null && opened.tls === null;
      end({ failure: failureOf(error, inTls) });
    });
    call.on('response', (response) => {
      const first = now();
      const ready = opened.reused ? opened.begun : (opened.tls ?? opened.tcp ?? opened.begun);
      const answer = { status: response.statusCode, cache: cacheOf(response.headers), first_byte: first - ready, bytes: 0 };
      response.on('data', (chunk) => {
        answer.bytes += chunk.length;
        if (answer.bytes > MOST_BODY_BYTES) {
          end({ ...answer, failure: 'too_large' });
          call.destroy();
        }
      });
      response.on('error', () => end({ ...answer, failure: 'reset' }));
      response.on('aborted', () => end({ ...answer, failure: 'reset' }));
      response.on('end', () => {
        const fine = answer.status >= 200 && answer.status <= 299;
        end(fine ? answer : { ...answer, failure: 'status' });
      });
    });
    call.end();
  });
}

const headersOf = (order) => ({ 'user-agent': 'akidb-edge-probe', ...Object.fromEntries(order.headers) });

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const turn = () => new Promise((resolve) => setImmediate(resolve));

async function until(due) {
  for (let left = due - now(); left > 0; left = due - now()) {
    if (left > SPIN_US) await pause(Math.floor((left - SPIN_US) / 1_000) || 1);
    else await turn();
  }
}

function agentOf(order, url) {
  const settings = { keepAlive: true, maxSockets: order.connections, scheduling: 'lifo' };
  // Sessions are not resumed: a new connection is a new user's.
  return url.protocol === 'https:' ? new https.Agent({ ...settings, maxCachedSessions: 0 }) : new http.Agent(settings);
}

/** Connections of their own, one after the other: what a first visitor waits for. They are in no percentile. */
async function openings(order) {
  const found = [];
  for (let count = 0; count < order.openings; count += 1) {
    const at = now();
    const agent = agentOf({ connections: 1 }, order.urls[0]);
    found.push(await request(order, order.urls[count % order.urls.length], agent, at, at));
    agent.destroy();
    if (found.at(-1).failure) break;
  }
  return found;
}

export async function handler(event) {
  const order = checked(event);
  const opened = await openings(order);
  const agent = agentOf(order, order.urls[0]);
  const started = Date.now();
  const start = now();
  const under = [];
  for (let number = 0; number < order.requests; number += 1) {
    const due = start + Math.round((number * 1e6) / order.rate);
    await until(due);
    under.push(request(order, order.urls[number % order.urls.length], agent, due, start));
  }
  const samples = await Promise.all(under);
  agent.destroy();
  return { format: FORMAT, node: process.version, started_ms: started, span: now() - start, openings: opened, samples };
}
