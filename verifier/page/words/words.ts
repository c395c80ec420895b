/** The texts of the page: every language has all of them. */
import type { CheckCode, Verdict } from '../../check.ts';

export type Language = 'en' | 'zh';

/** Of one check, for people who know nothing of hashes. */
export type CheckWords = {
  /** What it asks. */
  readonly asks: string;
  readonly passed: string;
  readonly failed: string;
};

export type Words = {
  readonly title: string;
  readonly lead: string;
  readonly otherLanguage: string;
  readonly bundleFile: string;
  readonly policyFile: string;
  readonly choose: string;
  readonly dropHere: string;
  readonly noFile: string;
  readonly noPolicyYet: string;
  readonly noBundleYet: string;
  readonly start: string;
  readonly stop: string;
  readonly print: string;
  readonly working: (done: number, of: number) => string;
  readonly stopped: string;
  readonly ready: string;
  readonly unreadablePolicy: string;
  readonly failedItself: string;
  readonly carried: (digest: string) => string;
  readonly saveCarried: string;
  readonly carriedAdvice: string;

  readonly policy: {
    readonly heading: string;
    readonly why: string;
    readonly suppliedBy: string;
    readonly note: string;
    readonly deviceKeys: string;
    readonly owners: string;
    readonly serviceKeys: string;
    readonly chains: string;
    readonly chain: (id: string, kind: string) => string;
    readonly block: (number: string) => string;
    readonly noBlock: string;
    readonly registries: string;
    readonly wallets: string;
    readonly authorities: string;
    readonly required: string;
    readonly none: string;
    readonly kinds: Readonly<Record<string, string>>;
    readonly warnLocalChain: (id: string) => string;
    readonly warnLocalAuthority: string;
  };

  readonly finding: {
    readonly heading: string;
    readonly accepted: string;
    readonly acceptedMeans: string;
    readonly refused: string;
    readonly refusedMeans: string;
    readonly open: string;
    readonly openMeans: string;
    readonly because: string;
    readonly questions: {
      readonly signed: string;
      readonly notAfter: string;
      readonly notBefore: string;
      readonly complete: string;
      readonly shown: string;
      readonly allowed: string;
    };
    readonly signed: (keyId: string) => string;
    readonly signedOpen: string;
    readonly enrolled: string;
    readonly notAfter: (time: string, block: string, chain: string) => string;
    readonly notAfterSome: (time: string, block: string, chain: string) => string;
    readonly notAfterOpen: string;
    readonly stamped: (time: string) => string;
    readonly notBefore: (time: string, block: string, chain: string) => string;
    readonly notBeforeBlock: (block: string, chain: string) => string;
    readonly notBeforeSome: string;
    readonly notBeforeOpen: string;
    readonly width: (time: string) => string;
    readonly headers: (count: string) => string;
    readonly nothingLost: string;
    readonly gapsListed: (count: string) => string;
    readonly noGaps: string;
    readonly withheld: (least: string, most: string) => string;
    readonly nothingWithheld: string;
    readonly opened: (streams: string, chunks: string, frames: string) => string;
    readonly nothingSaid: string;
    readonly ownEvidence: string;
    readonly granted: string;
    readonly custody: string;
    readonly noCustody: string;
  };

  readonly checks: {
    readonly heading: string;
    readonly why: string;
    readonly required: string;
    readonly verdicts: Readonly<Record<Verdict, string>>;
    readonly reason: string;
    readonly detail: string;
    readonly values: string;
    readonly clause: string;
    readonly of: Readonly<Record<CheckCode, CheckWords>>;
    /** By `CHECK.reason`, or by reason alone where it says the same everywhere. */
    readonly reasons: Readonly<Record<string, string>>;
    readonly noReason: string;
  };

  readonly timeline: {
    readonly heading: string;
    readonly why: string;
    readonly alt: (chunks: string, gaps: string, from: string, to: string) => string;
    readonly log: (number: number) => string;
    readonly kinds: Readonly<Record<'opened' | 'closed' | 'recovered', string>>;
    readonly gap: string;
    readonly loss: string;
    readonly gaps: string;
    readonly losses: string;
    readonly bus: string;
    readonly allBuses: string;
    readonly cause: string;
    readonly causes: Readonly<Record<string, string>>;
    readonly from: string;
    readonly to: string;
    readonly lasted: string;
    readonly frames: string;
    readonly chunks: string;
    readonly bounds: string;
    readonly boundsWhy: string;
    readonly after: string;
    readonly before: string;
    readonly width: string;
    readonly stamp: string;
    readonly orLater: string;
    readonly unknown: string;
    readonly more: (count: string) => string;
    readonly block: (number: string, chain: string) => string;
  };

  readonly streams: {
    readonly heading: string;
    readonly why: string;
    readonly name: string;
    readonly log: string;
    readonly chunks: string;
    readonly silent: string;
    readonly count: string;
    readonly none: string;
    readonly withheld: (least: string, most: string) => string;
  };

  readonly plot: {
    readonly heading: string;
    readonly why: string;
    readonly stream: string;
    readonly show: string;
    readonly rate: string;
    readonly field: string;
    readonly firstByte: string;
    readonly bytes: string;
    readonly order: string;
    readonly bigEndian: string;
    readonly littleEndian: string;
    readonly signed: string;
    readonly factor: string;
    readonly offset: string;
    readonly unit: string;
    readonly draw: string;
    readonly rateUnit: string;
    readonly time: string;
    readonly samples: (shown: string, total: string) => string;
    readonly value: string;
    readonly data: string;
    readonly caution: string;
    readonly empty: string;
    readonly save: string;
  };

  readonly custody: {
    readonly heading: string;
    readonly why: string;
    readonly none: string;
    /** Who, what, what for. */
    readonly columns: readonly string[];
    readonly actions: Readonly<Record<string, string>>;
  };
  readonly grant: {
    readonly heading: string;
    readonly none: string;
    readonly labels: Readonly<Record<string, string>>;
  };

  readonly notProven: {
    readonly heading: string;
    readonly why: string;
    /** By code. */
    readonly texts: Readonly<Record<string, string>>;
  };

  readonly repeat: {
    readonly save: string;
    readonly heading: string;
    readonly why: string;
    readonly files: string;
    readonly digest: string;
    readonly commands: string;
    readonly expert: string;
  };
};
