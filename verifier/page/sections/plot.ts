/** Plots of recorded samples: how often a stream spoke, or a number that whoever looks reads out of its frames. */
import uPlot from 'uplot';
import { grouped, utcMillis } from '../../sentence.ts';
import { code, h, section, table } from '../dom.ts';
import { saveFile } from '../files.ts';
import type { FieldRule, Samples } from '../samples.ts';
import type { Words } from '../words/words.ts';

/** What the page keeps when its language changes. */
export type PlotChoice = { readonly stream: string; readonly rule: FieldRule | undefined };

export type PlotPort = {
  readonly samples: (choice: PlotChoice) => Promise<Samples>;
  readonly csv: () => Promise<string>;
};

export type PlotOptions = {
  readonly streams: readonly string[];
  readonly port: PlotPort;
  readonly choice: PlotChoice | undefined;
  readonly onChoice: (choice: PlotChoice) => void;
};

export function plotSection(options: PlotOptions, words: Words): HTMLElement {
  const { plot: own } = words;
  const { streams, port, choice, onChoice } = options;
  const output = h('div', { class: 'plot', 'aria-live': 'polite' });
  const controls = controlsOf(streams, choice, words);
  const draw = async (): Promise<void> => {
    const chosen = controls.read();
    onChoice(chosen);
    const samples = await port.samples(chosen);
    output.replaceChildren(...shown(samples, chosen, words));
    const plot = output.querySelector<HTMLElement>('.canvas');
    if (plot !== null) drawInto(plot, samples, chosen, words);
  };
  controls.form.addEventListener('submit', (event) => {
    event.preventDefault();
    void draw();
  });
  const save = h('button', { type: 'button', class: 'quiet' }, own.save);
  save.addEventListener(
    'click',
    () => void port.csv().then((text) => saveFile('frames.csv', 'text/csv', text)),
  );
  // The first stream at once, so that a print shows it.
  void draw();
  return section(
    'plot',
    own.heading,
    h('p', { class: 'why' }, own.why),
    controls.form,
    output,
    h('p', { class: 'screen' }, save),
  );
}

function controlsOf(
  streams: readonly string[],
  choice: PlotChoice | undefined,
  { plot: own }: Words,
): { readonly form: HTMLFormElement; readonly read: () => PlotChoice } {
  const stream = h(
    'select',
    { name: 'stream' },
    streams.map((id) => h('option', {}, id)),
  );
  const kind = h(
    'select',
    { name: 'kind' },
    h('option', { value: 'rate' }, own.rate),
    h('option', { value: 'field' }, own.field),
  );
  const number = (value: number, rest: object): HTMLInputElement =>
    h('input', { type: 'number', value, required: true, ...rest });
  const rule = choice?.rule;
  const firstByte = number(rule?.firstByte ?? 0, { min: 0, max: 63 });
  const bytes = number(rule?.bytes ?? 2, { min: 1, max: 6 });
  const order = h(
    'select',
    {},
    h('option', { value: 'high' }, own.bigEndian),
    h('option', { value: 'low', selected: rule?.highFirst === false }, own.littleEndian),
  );
  const signed = h('input', { type: 'checkbox', checked: rule?.signed === true });
  const factor = number(rule?.factor ?? 1, { step: 'any' });
  const offset = number(rule?.offset ?? 0, { step: 'any' });
  const unit = h('input', { type: 'text', value: rule?.unit ?? '', maxlength: 20 });
  const fields = h(
    'fieldset',
    {},
    h('legend', {}, own.field),
    [
      [own.firstByte, firstByte],
      [own.bytes, bytes],
      [own.order, order],
      [own.signed, signed],
      [own.factor, factor],
      [own.offset, offset],
      [own.unit, unit],
    ].map(([label, input]) => h('label', {}, h('span', {}, label), input)),
    h('p', { class: 'why' }, own.caution),
  );
  if (choice !== undefined) stream.value = choice.stream;
  kind.value = rule === undefined ? 'rate' : 'field';
  const showFields = (): void => {
    fields.hidden = kind.value !== 'field';
    fields.disabled = fields.hidden;
  };
  kind.addEventListener('change', showFields);
  showFields();
  const form = h(
    'form',
    { class: 'screen' },
    h('label', {}, h('span', {}, own.stream), stream),
    h('label', {}, h('span', {}, own.show), kind),
    fields,
    h('button', { type: 'submit' }, own.draw),
  );
  return {
    form,
    read: () => ({
      stream: stream.value,
      rule:
        kind.value === 'rate'
          ? undefined
          : {
              firstByte: firstByte.valueAsNumber,
              bytes: bytes.valueAsNumber,
              highFirst: order.value === 'high',
              signed: signed.checked,
              factor: factor.valueAsNumber,
              offset: offset.valueAsNumber,
              unit: unit.value,
            },
    }),
  };
}

function shown(samples: Samples, { stream, rule }: PlotChoice, { plot: own }: Words): Node[] {
  if (samples.frames === 0) return [h('p', {}, own.empty)];
  const unit = rule === undefined ? own.rateUnit : rule.unit;
  const rows = samples.table.map(({ timeNs, data, value }) => [
    timeText(timeNs),
    code(data),
    ...(rule === undefined ? [] : [Number.isNaN(value) ? '' : `${value} ${rule.unit}`]),
  ]);
  const caption = own.samples(grouped(rows.length), grouped(samples.frames));
  return [
    h('p', { class: 'axis' }, `${stream}${unit === '' ? '' : ` (${unit})`}`),
    h('div', { class: 'canvas', role: 'img', 'aria-label': `${stream} ${unit}; ${caption}` }),
    ...(rule === undefined ? [] : [h('p', { class: 'why' }, own.caution)]),
    h(
      'details',
      { class: 'samples' },
      h('summary', {}, caption),
      table(caption, [own.time, own.data, ...(rule === undefined ? [] : [own.value])], rows),
    ),
  ];
}

function drawInto(
  into: HTMLElement,
  { seconds, values }: Samples,
  { rule }: PlotChoice,
  { plot: own }: Words,
): void {
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue('--ink').trim();
  const line = style.getPropertyValue('--line').trim();
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  const plot = new uPlot(
    {
      width: Math.max(280, into.clientWidth),
      height: 260,
      tzDate: (second) => uPlot.tzDate(new Date(second * 1000), 'Etc/UTC'),
      legend: { show: false },
      cursor: { drag: { x: true, y: false } },
      // A rate that hardly changes must not look as if it did.
      scales: { x: { time: true }, y: rule === undefined ? { range: fromZero } : {} },
      axes: [
        { ...axis, values: clockTimes },
        { ...axis, size: 64 },
      ],
      series: [
        { label: own.time },
        {
          label: rule?.unit ?? own.rateUnit,
          stroke: style.getPropertyValue('--passed').trim(),
          width: 1,
          points: { show: true, size: 4 },
        },
      ],
    },
    [seconds, values],
    into,
  );
  new ResizeObserver(([entry]) => {
    const width = Math.floor(entry?.contentRect.width ?? 0);
    if (width >= 280 && width !== plot.width) plot.setSize({ width, height: 260 });
  }).observe(into);
}

function fromZero(_: uPlot, _least: number, most: number): [number, number] {
  return [0, most * 1.1];
}

/** Where a tick is not at a whole second, with its fraction. */
function clockTimes(_: uPlot, ticks: readonly number[]): string[] {
  return ticks.map((second) => {
    const text = new Date(second * 1000).toISOString();
    return text.slice(11, Number.isInteger(second) ? 19 : 23);
  });
}

function timeText(ns: string): string {
  const whole = BigInt(ns);
  return `${utcMillis(whole).replace(' UTC', '')}${`${whole % 1_000_000n}`.padStart(6, '0').slice(0, 3)} UTC`;
}
