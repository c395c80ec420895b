/** The finding adds nothing to the verdicts: it is as bad as the worst check that it rests on, in both languages. */
import { describe, expect, test } from 'vitest';
import { CHECK_CODES } from '../../../verifier/check.ts';
import { NOT_PROVEN } from '../../../verifier/not-proven.ts';
import { answersOf } from '../../../verifier/page/finding.ts';
import { reasonWords, WORDS } from '../../../verifier/page/words/choose.ts';
import { verifyEvidence } from '../../../verifier/verify.ts';
import { rememberingVerifyDigest, VECTORS } from '../vector-files.ts';

const LANGUAGES = ['en', 'zh'] as const;

describe.each(LANGUAGES)('in %s', (language) => {
  const words = WORDS[language];

  test('every vector has an answer to each question, never better than its checks', () => {
    for (const vector of VECTORS) {
      const report = verifyEvidence(vector.bundle, vector.policy, {
        verifyDigest: rememberingVerifyDigest,
      });
      for (const { question, state, sentences, restsOn } of answersOf(report, words)) {
        const where = `${vector.name}, ${question}`;
        expect(sentences, where).not.toEqual([]);
        expect(sentences.join(''), where).not.toMatch(/undefined|null|NaN/);
        const failed = report.checks.some(
          ({ code, verdict }) => restsOn.includes(code) && verdict === 'FAILED',
        );
        expect(state === 'FAILED', where).toBe(failed);
        const open = report.checks.some(
          ({ code, verdict, reason }) =>
            restsOn.includes(code) && verdict !== 'PASSED' && reason !== 'absent',
        );
        if (open) expect(state, where).not.toBe('PASSED');
      }
    }
  });

  test('every reason of a vector has words of its own, and so has what is not proven', () => {
    const reasons = new Set(
      VECTORS.flatMap(({ output }) => Object.values(output.checks)).flatMap((verdict) =>
        verdict.startsWith('INDETERMINATE ') ? [verdict.slice('INDETERMINATE '.length)] : [],
      ),
    );
    const unnamed = [...reasons].filter(
      (reason) => reasonWords(words, 'BUNDLE', reason) === words.checks.noReason,
    );
    expect(unnamed).toEqual([]);
    expect(NOT_PROVEN.filter(({ code }) => words.notProven.texts[code] === undefined)).toEqual([]);
  });
});

test('both languages have the same words', () => {
  const keysOf = (value: unknown, path: string): readonly string[] =>
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([key, inner]) => keysOf(inner, `${path}.${key}`))
      : [path];
  expect(keysOf(WORDS.zh, '').toSorted()).toEqual(keysOf(WORDS.en, '').toSorted());
  expect(Object.keys(WORDS.en.checks.of).toSorted()).toEqual([...CHECK_CODES].toSorted());
});
