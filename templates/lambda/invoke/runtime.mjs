// The part of Lambda's Node.js runtime that a function needs: gets the next event from the Runtime API and posts the handler's result.
// Started by AWS's runtime interface emulator; _HANDLER names file and function.

import path from 'node:path';
import { pathToFileURL } from 'node:url';

const { AWS_LAMBDA_RUNTIME_API: api, LAMBDA_TASK_ROOT: root, _HANDLER: named = 'index.handler' } = process.env;
const base = `http://${api}/2018-06-01/runtime`;

const post = (address, value) => fetch(`${base}/${address}`, { method: 'POST', body: JSON.stringify(value ?? null) });
const described = (error) => ({ errorType: error?.name ?? 'Error', errorMessage: String(error?.message ?? error) });

async function loaded() {
  const [file, name] = [named.slice(0, named.lastIndexOf('.')), named.slice(named.lastIndexOf('.') + 1)];
  try {
    return (await import(pathToFileURL(path.join(root, `${file}.mjs`))))[name];
  } catch (error) {
    await post('init/error', described(error));
    process.exit(1);
  }
}

const handler = await loaded();
for (;;) {
  const next = await fetch(`${base}/invocation/next`);
  const id = next.headers.get('lambda-runtime-aws-request-id');
  const deadline = Number(next.headers.get('lambda-runtime-deadline-ms'));
  const context = { awsRequestId: id, getRemainingTimeInMillis: () => deadline - Date.now() };
  try {
    await post(`invocation/${id}/response`, await handler(await next.json(), context));
  } catch (error) {
    await post(`invocation/${id}/error`, described(error));
  }
}
