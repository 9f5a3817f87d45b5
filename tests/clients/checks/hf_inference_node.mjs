import assert from "node:assert/strict";
import { InferenceClient } from "@huggingface/inference";
import { LONG, TEXTS, URL, allSame, check, end, same } from "./common.mjs";

const client = new InferenceClient("none").endpoint(URL);

await check("featureExtraction of one text", async () => {
  const answer = await client.featureExtraction({ inputs: "hello world" });
  same(Array.isArray(answer[0]) ? answer[0] : answer, "hello world");
});
await check("featureExtraction of a batch", async () => allSame(await client.featureExtraction({ inputs: TEXTS })));
await check("a text that is cut", async () => allSame(await client.featureExtraction({ inputs: [LONG], truncate: true }), [LONG]));
await check("a refusal has words", async () => {
  await assert.rejects(client.featureExtraction({ inputs: [] }), /empty|400|422|413/);
});
end("@huggingface/inference", "@huggingface/inference");
