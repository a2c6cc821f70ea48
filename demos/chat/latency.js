// How long messages took, by technique.

const SAMPLES_MAX = 40;
const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 72;
const HEIGHT = 20;

/** A duration as people compare it: milliseconds with one decimal, seconds from ten of them. */
export function formatLatency(ms) {
  return ms < 10_000 ? `${ms.toFixed(1)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** The newest samples of one technique. */
export class Samples {
  values = [];

  add(ms) {
    this.values.push(ms);
    if (this.values.length > SAMPLES_MAX) this.values.shift();
  }

  get median() {
    const sorted = this.values.toSorted((a, b) => a - b);
    const middle = sorted.length >> 1;
    return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }
}

function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** Draws samples, oldest left; the scale is the samples' own. */
export function drawSparkline(svg, { values }) {
  const max = Math.max(...values, Number.MIN_VALUE);
  const step = WIDTH / Math.max(values.length - 1, 1);
  const points = values.map((value, i) => [i * step, HEIGHT - 2 - (value / max) * (HEIGHT - 4)]);
  const [endX, endY] = points.at(-1) ?? [0, HEIGHT];
  svg.setAttribute('viewBox', `-2 0 ${WIDTH + 4} ${HEIGHT}`);
  svg.replaceChildren(
    shape('polyline', { class: 'line', points: points.map((point) => point.join()).join(' ') }),
    shape('circle', { class: 'end', cx: endX, cy: endY, r: 2 }),
  );
}
