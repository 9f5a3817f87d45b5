// node --test templates/lambda/probe/

import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';

import { BadOrder, FORMAT, MOST_REQUESTS, checked, handler } from './index.mjs';

/** A server for one test, with its sockets counted. */
async function served(t, answer) {
  const server = http.createServer(answer);
  const seen = { connections: 0 };
  server.on('connection', () => (seen.connections += 1));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { host: `127.0.0.1:${server.address().port}`, seen };
}

const order = (host, more) => ({
  format: FORMAT,
  host,
  urls: [`http://${host}/`],
  headers: [],
  requests: 20,
  rate: 200,
  timeout_ms: 1_000,
  connections: 16,
  openings: 0,
  ...more,
});

const fine = (_, response) => response.writeHead(200, { 'x-cache': 'Hit from cloudfront' }).end('ok');

test('each request has its phases, and connections are used again', async (t) => {
  const { host, seen } = await served(t, fine);
  // Eight connections for twenty requests: on a busy machine all are sent at once, and twelve of them still find a used one.
  const answer = await handler(order(host, { openings: 3, connections: 8 }));
  assert.equal(answer.samples.length, 20);
  assert.equal(answer.openings.length, 3);
  assert.ok(answer.openings.every((one) => one.new && one.tcp > 0 && one.total >= one.tcp));
  assert.ok(answer.samples.every((one) => one.failure === undefined && one.status === 200 && one.cache === 'hit'));
  assert.ok(answer.samples.every((one) => one.bytes === 2 && one.first_byte > 0 && one.total >= one.first_byte));
  const reused = answer.samples.filter((one) => !one.new);
  assert.ok(reused.length >= 10 && reused.every((one) => one.tcp === 0 && one.tls === 0));
  assert.equal(seen.connections, 3 + answer.samples.length - reused.length);
});

test('the clock does not wait for the server: who comes during a stall sees it', async (t) => {
  let stalled = false;
  const { host } = await served(t, (request, response) => {
    if (stalled) return fine(request, response);
    stalled = true;
    // The whole process of this server stands still, so every request that is due meanwhile waits.
    const end = Date.now() + 200;
    while (Date.now() < end);
    return fine(request, response);
  });
  // Server and probe share this process: due requests are sent late, and their latency counts from when they were due.
  const { samples } = await handler(order(host, { requests: 40, rate: 100 }));
  assert.deepEqual(samples.map((one) => one.due), samples.map((_, number) => number * 10_000));
  const slow = samples.filter((one) => one.total > 50_000).length;
  assert.ok(slow >= 10, `${slow} requests saw the stall`);
  assert.ok(samples.some((one) => one.late > 50_000), 'the lateness of the probe itself is told');
});

test('a failure is a sample, and redirects are not followed', async (t) => {
  let asked = 0;
  const { host } = await served(t, (request, response) => {
    asked += 1;
    if (request.url === '/away') return response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
    if (request.url === '/reset') return request.socket.destroy();
    return undefined; // never answered
  });
  const kinds = async (path, more) => {
    const { samples } = await handler(order(host, { urls: [`http://${host}${path}`], requests: 2, ...more }));
    return samples.map((one) => [one.failure, one.status]);
  };
  assert.deepEqual(await kinds('/away'), [['status', 302], ['status', 302]]);
  assert.equal(asked, 2);
  assert.deepEqual(await kinds('/reset'), [['reset', 0], ['reset', 0]]);
  assert.deepEqual(await kinds('/silent', { timeout_ms: 50 }), [['timeout', 0], ['timeout', 0]]);
  const nobody = await handler(order('127.0.0.1:1', { requests: 1 }));
  assert.equal(nobody.samples[0].failure, 'connect');
  const nowhere = await handler(order('name.invalid', { requests: 1, timeout_ms: 10_000 }));
  assert.equal(nowhere.samples[0].failure, 'dns');
});

test('an order that is too large, or leads to another host, is refused', () => {
  const refused = (more, message) => assert.throws(() => checked(order('h', more)), (bad) => bad instanceof BadOrder && message.test(bad.message));
  refused({ requests: MOST_REQUESTS + 1 }, /requests: 1 to 5000/);
  refused({ requests: 5_000, rate: 1 }, /more than 840 s/);
  refused({ urls: ['http://other/'] }, /host of the order/);
  refused({ urls: ['http://h/', 'https://h/'] }, /host of the order/);
  refused({ urls: ['file:///etc/passwd'] }, /http or https/);
  refused({ urls: ['http://me@h/'] }, /without a user/);
  refused({ timeout_ms: 0 }, /timeout_ms/);
  refused({ format: 2 }, /format 1/);
  assert.equal(checked(order('h', {})).urls[0].href, 'http://h/');
});

test('bodies are sent by POST, and vectors are counted in the answers', async (t) => {
  const seen = [];
  const { host } = await served(t, (request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      seen.push([request.method, request.headers['content-type'], Buffer.concat(parts).toString()]);
      response.writeHead(200, { 'x-own': '12.5' }).end(seen.length % 2 ? '{"embeddings":[[0.5,1,2]]}' : '{"error":"none"}');
    });
  });
  const headers = [['content-type', 'application/json']];
  const answer = await handler(order(host, { requests: 4, rate: 50, headers, bodies: ['{"inputs":["a"]}', '{"inputs":["b"]}'], own_time: 'x-own' }));
  assert.deepEqual(seen[0], ['POST', 'application/json', '{"inputs":["a"]}']);
  assert.equal(seen[1][2], '{"inputs":["b"]}');
  assert.deepEqual(answer.samples.map((one) => one.numbers).sort(), [3, 3, null, null]);
  assert.ok(answer.samples.every((one) => one.own === 12_500 && one.failure === undefined));
});

test('bodies that are not texts are refused', () => {
  assert.throws(() => checked(order('h', { bodies: [1] })), BadOrder);
  assert.throws(() => checked(order('h', { bodies: ['x'.repeat(1_048_577)] })), BadOrder);
});
