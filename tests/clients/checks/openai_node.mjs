import assert from "node:assert/strict";
import OpenAI from "openai";
import { ALIAS, LONG, MODEL, TEXTS, URL, allSame, check, end, same } from "./common.mjs";

const client = new OpenAI({ baseURL: `${URL}/v1`, apiKey: "none", maxRetries: 0 });
const create = (more) => client.embeddings.create({ model: MODEL, ...more });

await check("a batch, as the client asks by itself (base64)", async () => {
  const answer = await create({ input: TEXTS });
  assert.deepEqual(answer.data.map((row) => row.index), TEXTS.map((_, at) => at));
  allSame(answer.data.map((row) => row.embedding));
  assert(answer.usage.total_tokens > TEXTS.length);
});
await check("numbers, one text", async () => {
  same((await create({ input: "hello world", encoding_format: "float" })).data[0].embedding, "hello world");
});
await check("dimensions", async () => {
  assert.equal((await create({ input: "hello world", dimensions: 4 })).data[0].embedding.length, 4);
});
await check("2,048 texts", async () => {
  const { data } = await create({ input: Array.from({ length: 2048 }, (_, at) => (at % 2 ? "errors" : "hello world")) });
  assert.equal(data.length, 2048);
  same(data[2047].embedding, "errors");
});
await check("too long a text is cut", async () => same((await create({ input: LONG })).data[0].embedding, LONG));
await check("models", async () => {
  const found = [];
  for await (const model of client.models.list()) found.push(model.id);
  assert(found.includes(MODEL), String(found));
  assert.equal((await client.models.retrieve(MODEL)).object, "model");
});
await check("a hub id as name", async () => {
  same((await create({ model: ALIAS, input: "errors" })).data[0].embedding, "errors");
  assert((await client.models.retrieve(ALIAS)).id);
});
await check("an unknown model", async () => {
  await assert.rejects(create({ model: "nobody", input: "a" }), (error) => error instanceof OpenAI.NotFoundError && error.code === "MODEL_NOT_FOUND");
});
await check("token ids are refused with what to do", async () => {
  for (const input of [[1, 2, 3], [[1, 2], [3]]])
    await assert.rejects(create({ input }), (error) => error instanceof OpenAI.BadRequestError && /token/.test(error.message));
});
await check("an empty list is refused", async () => {
  await assert.rejects(create({ input: [] }), (error) => error instanceof OpenAI.BadRequestError && error.code === "INVALID_REQUEST");
});
await check("thirty-two at a time", async () => {
  const answers = await Promise.all(Array.from({ length: 32 }, () => create({ input: TEXTS })));
  for (const answer of answers) allSame(answer.data.map((row) => row.embedding));
});
end("openai-node", "openai");
