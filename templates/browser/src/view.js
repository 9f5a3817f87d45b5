// Updates the page. Texts are inserted as text, never as markup.

import { closest, draw, matrix, table } from './plot.js';

const at = (id) => document.getElementById(id);
const SHOWN = 8;
export const TIERS = {
  static: 'static tier: a first approximation',
  full: 'full model, in this browser',
  server: 'server',
};

export const text = (id, value) => { at(id).textContent = value; };
export const show = (id, visible) => { at(id).hidden = !visible; };
export const ms = (value) => (value < 10 ? value.toFixed(1) : Math.round(value)) + ' ms';
export const megabytes = (bytes) => (bytes / 1e6).toFixed(1) + ' MB';

export function fault(bad) {
  show('alert', Boolean(bad));
  if (bad) text('alert', bad.next ? `${bad.message} Next: ${bad.next}.` : bad.message);
}

export function models(names, chosen) {
  at('model').replaceChildren(...names.map((name) => new Option(name, name, name === chosen, name === chosen)));
}

export function progress(done, size) {
  const bar = at('progress');
  show('download', true);
  bar.max = size;
  bar.value = done;
  text('bytes', `${megabytes(done)} of ${megabytes(size)}`);
}

export function tier(name) {
  const chip = at('tier');
  chip.textContent = TIERS[name] ?? name;
  chip.dataset.tier = name;
  document.documentElement.dataset.tier = name;
}

export function results(texts, found) {
  at('vectors').replaceChildren(...found.map((one, index) => entry(texts[index], one)));
  const values = matrix(found.map((one) => one.vector));
  const pair = closest(values);
  const said = pair
    ? `Closest: texts ${pair[0] + 1} and ${pair[1] + 1}, cosine ${values[pair[0]][pair[1]].toFixed(3)}.`
    : 'One text: nothing to compare it with.';
  text('closest', said);
  at('plot').replaceChildren(draw(values, `Cosine similarity of ${texts.length} texts. ${said}`));
  at('numbers').replaceChildren(table(values, 'Cosine similarity'));
  show('results', true);
}

function entry(words, one) {
  const item = document.createElement('li');
  const line = (tag, name, value) => {
    const made = document.createElement(tag);
    made.className = name;
    made.textContent = value;
    item.append(made);
  };
  line('p', 'words', words === '' ? '(empty text)' : words);
  const first = Array.from(one.vector.subarray(0, SHOWN), (value) => value.toFixed(4)).join(', ');
  line('code', 'numbers', `[${first}, …] ${one.vector.length} numbers`);
  const cut = one.total > one.tokens ? `, cut: ${one.tokens} of ${one.total} tokens` : one.tokens ? `, ${one.tokens} tokens` : '';
  line('p', 'facts', `${TIERS[one.tier]}${cut}, ${ms(one.ms)}`);
  return item;
}

export function timings(rows) {
  at('timings').replaceChildren(...rows.map(([name, value]) => {
    const row = document.createElement('tr');
    const head = document.createElement('th');
    head.scope = 'row';
    head.textContent = name;
    row.append(head);
    row.insertCell().textContent = value;
    return row;
  }));
}
