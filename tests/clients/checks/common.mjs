// What each client's list of checks needs, as common.py.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

export const { CLIENTS_URL: URL, CLIENTS_MODEL: MODEL, CLIENTS_ALIAS: ALIAS } = process.env;
const here = (path) => new globalThis.URL(path, import.meta.url);
const truth = new Map(
  JSON.parse(readFileSync(here(`../../fixtures/embedding/${MODEL}/expected.json`), "utf8")).texts.map((one) => [one.text, one.vector]),
);
export const LONG = [...truth.keys()].find((text) => text.length > 400);
export const TEXTS = ["hello world", "", "the cache of an edge server", "Straße über naïve", "東京 世界", LONG];

export function same(vector, text) {
  const wanted = truth.get(text);
  assert.equal(vector.length, wanted.length);
  const far = Math.max(...wanted.map((number, at) => Math.abs(number - vector[at])));
  assert(far < 1e-5, `${text.slice(0, 40)} is off by ${far}`);
}

export function allSame(vectors, texts = TEXTS) {
  assert.equal(vectors.length, texts.length);
  vectors.forEach((vector, at) => same(vector, texts[at]));
}

const passed = [];
const failures = [];

export async function check(what, run) {
  try {
    await run();
    passed.push(what);
  } catch (error) {
    failures.push(`${what}: ${error.name}: ${error.message}`.slice(0, 700));
  }
}

export function end(client, name) {
  const { version } = JSON.parse(readFileSync(here(`../node_modules/${name}/package.json`), "utf8"));
  console.log(`\n${JSON.stringify({ client, version, passed, failures })}`);
  process.exit(0);
}
