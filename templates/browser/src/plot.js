// The cosine of each pair of texts as squares, light to dark (SVG), and the same numbers as a table.

import { cosine } from './check.js';

const SVG = 'http://www.w3.org/2000/svg';
const CELL = 44;
const EDGE = 28;

export function matrix(vectors) {
  return vectors.map((one) => vectors.map((other) => cosine(one, other)));
}

// The closest pair of different texts: `[row, column]`.
export function closest(values) {
  let best = null;
  for (let row = 0; row < values.length; row += 1) {
    for (let column = 0; column < row; column += 1) {
      if (!best || values[row][column] > values[best[0]][best[1]]) best = [column, row];
    }
  }
  return best;
}

function node(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

export function draw(values, label) {
  const side = EDGE + values.length * CELL;
  const plot = node('svg', { viewBox: `0 0 ${side} ${side}`, width: side, height: side, role: 'img', 'aria-label': label });
  values.forEach((row, y) => {
    const middle = EDGE + y * CELL + CELL / 2;
    plot.append(node('text', { x: EDGE / 2, y: middle, class: 'axis' }, y + 1), node('text', { x: middle, y: EDGE / 2, class: 'axis' }, y + 1));
    row.forEach((value, x) => {
      // The shade is clamped to values from 0 to 1.
      const share = Math.min(1, Math.max(0, value));
      const place = { x: EDGE + x * CELL + 1, y: EDGE + y * CELL + 1 };
      plot.append(node('rect', { ...place, width: CELL - 2, height: CELL - 2, rx: 4, class: 'cell', 'fill-opacity': (0.06 + 0.94 * share).toFixed(3) }));
      plot.append(node('text', { x: EDGE + x * CELL + CELL / 2, y: middle, class: share > 0.55 ? 'value dark' : 'value' }, value.toFixed(2)));
    });
  });
  return plot;
}

export function table(values, caption) {
  const made = document.createElement('table');
  made.createCaption().textContent = caption;
  const head = made.createTHead().insertRow();
  const cell = (row, text, scope) => {
    const one = document.createElement(scope ? 'th' : 'td');
    if (scope) one.scope = scope;
    one.textContent = text;
    row.append(one);
  };
  cell(head, 'Text', 'col');
  values.forEach((_, at) => cell(head, at + 1, 'col'));
  const body = made.createTBody();
  values.forEach((row, at) => {
    const line = body.insertRow();
    cell(line, at + 1, 'row');
    row.forEach((value) => cell(line, value.toFixed(3)));
  });
  return made;
}
