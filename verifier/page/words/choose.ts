/** Which words: a language, and in it those of one check. */
import type { CheckCode } from '../../check.ts';
import { EN } from './en.ts';
import type { CheckWords, Language, Words } from './words.ts';
import { ZH } from './zh.ts';

export const WORDS: Readonly<Record<Language, Words>> = { en: EN, zh: ZH };

/** @param wanted languages of the reader, best first (RFC 5646) */
export function languageFor(wanted: readonly string[]): Language {
  return /^zh\b/i.test(wanted[0] ?? '') ? 'zh' : 'en';
}

export function checkWords(words: Words, check: CheckCode): CheckWords {
  return words.checks.of[check];
}

/** What a reason says; of a code in upper case, that a rule was broken. */
export function reasonWords(words: Words, check: CheckCode, reason: string | undefined): string {
  const { reasons, noReason } = words.checks;
  return reasons[`${check}.${reason}`] ?? reasons[`${reason}`] ?? noReason;
}
