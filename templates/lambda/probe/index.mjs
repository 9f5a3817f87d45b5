// Lambda function: sends requests to one host at a fixed rate and returns the time of each. `akidb-edge validate latency --regions`
// creates it in a region, invokes it once and deletes it. Node.js 20 and newer, no dependencies, writes no log.
//
// Open model: request n is due at start + n / rate, independent of earlier requests, and its latency counts from then. Times are
// in microseconds. Redirects are not followed, and only the host of the order receives requests.

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
const MOST_BODIES_BYTES = 1_048_576; // of all requests together
const SPIN_US = 2_000; // timers of Node have a resolution of a millisecond; the rest is a busy wait

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
  const { bodies = [], own_time = null } = order;
  need(Array.isArray(bodies) && whole(bodies.length, 0, MOST_URLS), `bodies: at most ${MOST_URLS}`);
  need(bodies.every((body) => typeof body === 'string'), 'bodies: texts');
  need(bodies.reduce((sum, body) => sum + Buffer.byteLength(body), 0) <= MOST_BODIES_BYTES, 'bodies: 1 MiB together');
  need(own_time === null || typeof own_time === 'string', 'own_time: the name of a header');
  return { ...order, urls, bodies, own_time };
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

/** The numbers of the first vector of an answer; null where there is none. */
function numbersOf(body) {
  try {
    const value = JSON.parse(body);
    const vector = value?.embeddings?.[0] ?? value?.data?.[0]?.embedding ?? value?.[0];
    return Array.isArray(vector) && vector.length > 0 && vector.every(Number.isFinite) ? vector.length : null;
  } catch {
    return null;
  }
}

/** What is read of an answer where vectors are counted. */
function vectorOf(order, response, parts) {
  if (order.own_time === null) return {};
  const own = Number.parseFloat(response.headers[order.own_time]);
  const numbers = numbersOf(Buffer.concat(parts).toString('utf8'));
  return { numbers, own: Number.isFinite(own) && own >= 0 ? Math.round(own * 1_000) : null };
}

/** One request. Resolves with its sample, whatever became of it. */
function request(order, number, agent, due, start) {
  const url = order.urls[number % order.urls.length];
  const body = order.bodies.length ? order.bodies[number % order.bodies.length] : null;
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
    const method = body === null ? 'GET' : 'POST';
    const call = (secure ? https : http).request(url, { agent, headers: headersOf(order), method });
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
      const parts = [];
      response.on('data', (chunk) => {
        answer.bytes += chunk.length;
        if (order.own_time !== null) parts.push(chunk);
        if (answer.bytes > MOST_BODY_BYTES) {
          end({ ...answer, failure: 'too_large' });
          call.destroy();
        }
      });
      response.on('error', () => end({ ...answer, failure: 'reset' }));
      response.on('aborted', () => end({ ...answer, failure: 'reset' }));
      response.on('end', () => {
        const fine = answer.status >= 200 && answer.status <= 299;
        Object.assign(answer, vectorOf(order, response, parts));
        end(fine ? answer : { ...answer, failure: 'status' });
      });
    });
    call.end(body ?? undefined);
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
  // TLS sessions are not resumed: each new connection stands for a new user.
  return url.protocol === 'https:' ? new https.Agent({ ...settings, maxCachedSessions: 0 }) : new http.Agent(settings);
}

/** Connections of their own, one after the other: what a first visitor waits for. They are in no percentile. */
async function openings(order) {
  const found = [];
  for (let count = 0; count < order.openings; count += 1) {
    const at = now();
    const agent = agentOf({ connections: 1 }, order.urls[0]);
    found.push(await request(order, count, agent, at, at));
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
    under.push(request(order, number, agent, due, start));
  }
  const samples = await Promise.all(under);
  agent.destroy();
  return { format: FORMAT, node: process.version, started_ms: started, span: now() - start, openings: opened, samples };
}
