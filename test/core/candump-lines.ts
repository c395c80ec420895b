/** Parses whole lines of text, for tests. */
import { type CandumpOutcome, CandumpParser } from '../../core/candump.ts';
import { type Frame, frameAt } from '../../core/frame.ts';
import { FrameBlockBuilder } from '../../core/frame-block-builder.ts';

export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

export function parseText(text: string): {
  readonly outcome: CandumpOutcome;
  readonly frame: Frame;
  readonly buses: readonly string[];
} {
  return parseBytes(bytesOf(text));
}

export function parseBytes(bytes: Uint8Array): ReturnType<typeof parseText> {
  const parser = new CandumpParser();
  const builder = new FrameBlockBuilder(1);
  const outcome = parser.parseLine(bytes, 0, bytes.length, builder, 7);
  return { outcome, frame: frameAt(builder.frames(), 0), buses: parser.buses };
}
