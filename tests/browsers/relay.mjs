// A deployed page under an address of this machine: every request goes on to it, until the relay closes, which is how a test takes the
// network away from any browser.

import http from 'node:http';
import https from 'node:https';

export async function startRelay(target) {
  const base = new URL(target);
  const { request: ask } = base.protocol === 'https:' ? https : http;
  const server = http.createServer((request, response) => {
    const url = new URL(request.url, base);
    const passed = ask(url, { method: request.method, headers: { ...request.headers, host: base.host } }, (answer) => {
      const { 'strict-transport-security': _, ...headers } = answer.headers;
      response.writeHead(answer.statusCode, headers);
      answer.pipe(response);
    });
    passed.on('error', () => { response.destroy(); });
    request.pipe(passed);
  });
  await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
  const { port } = server.address();
  return {
    url: `http://localhost:${port}${base.pathname}`,
    close: () => new Promise((done) => { server.close(done); server.closeAllConnections(); }),
    reopen: () => new Promise((done) => { server.listen(port, '127.0.0.1', done); }),
  };
}
