/** Runs vectors inside a page: reads them from one element, writes the verdicts into another. */
import { FORMATS } from './formats.ts';
import { verdictOn } from './run-vector.ts';
import type { Vector } from './vector-input.ts';

/** As much of the DOM as this needs: the tests are compiled without a browser's types. */
type PageElement = { id: string; textContent: string | null; append(child: PageElement): void };
declare const document: {
  readonly body: PageElement;
  getElementById(id: string): PageElement | null;
  createElement(name: string): PageElement;
};

const given = document.getElementById('vectors')?.textContent ?? '[]';
const vectors = JSON.parse(given) as readonly { format: string; vector: Vector }[];
const verdicts = vectors.map(({ format, vector }) => {
  const run = FORMATS[format];
  return run === undefined ? 'no such format' : verdictOn(vector, run);
});
const result = document.createElement('pre');
result.id = 'verdicts';
result.textContent = JSON.stringify(verdicts);
document.body.append(result);
