// The picker: the five techniques, each with what its messages took.

import { drawSparkline, formatLatency, Samples } from './latency.js';
import { TECHNIQUES } from './transports.js';

export class TechniquePicker {
  #cards = new Map();

  /** `choose` is called with the id of the technique that was picked. */
  constructor(container, chosen, choose) {
    for (const [id, technique] of TECHNIQUES) {
      const card = this.#card(id, technique);
      card.input.checked = id === chosen;
      card.input.addEventListener('change', () => choose(id));
      this.#cards.set(id, card);
      container.append(card.label);
    }
  }

  #card(id, { label: title, short, about }) {
    const label = document.createElement('label');
    label.className = 'choice';
    const input = document.createElement('input');
    input.type = 'radio';
    input.name = 'technique';
    input.value = id;
    input.dataset.testid = `technique-${id}`;
    const name = document.createElement('span');
    name.className = 'name';
    const long = document.createElement('span');
    long.className = 'long';
    long.textContent = title;
    const brief = document.createElement('span');
    brief.className = 'brief';
    brief.setAttribute('aria-hidden', 'true');
    brief.textContent = short;
    name.append(long, brief);
    const note = document.createElement('span');
    note.className = 'about';
    note.textContent = about;
    const spark = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    spark.setAttribute('class', 'spark');
    spark.setAttribute('aria-hidden', 'true');
    spark.setAttribute('preserveAspectRatio', 'none');
    const median = document.createElement('span');
    median.className = 'median';
    median.dataset.testid = `median-${id}`;
    median.title = 'Median of the newest messages';
    label.append(input, name, note, spark, median);
    return { label, input, spark, median, samples: new Samples() };
  }

  addSample(id, ms) {
    const { samples, spark, median } = this.#cards.get(id);
    samples.add(ms);
    drawSparkline(spark, samples);
    median.textContent = formatLatency(samples.median);
  }
}
