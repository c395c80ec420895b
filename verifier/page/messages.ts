/** What the page and its worker say to each other; everything can be cloned. */
import type { Report } from '../report.ts';
import type { Picture } from './picture.ts';
import type { FieldRule, Samples } from './samples.ts';

export type Request =
  | { readonly kind: 'verify'; readonly bundle: Uint8Array; readonly policy: string }
  | {
      readonly kind: 'samples';
      readonly stream: string;
      /** None: how many frames in each second. */
      readonly rule: FieldRule | undefined;
    }
  | { readonly kind: 'csv' };

export type Answer =
  | { readonly kind: 'step'; readonly done: number; readonly of: number }
  | {
      readonly kind: 'report';
      readonly report: Report;
      /** The same for programs, as the command line writes it. */
      readonly json: string;
      /** None where nothing may be said of the contents. */
      readonly picture: Picture | undefined;
      /** SHA-256 in hexadecimal. */
      readonly bundleDigest: string;
      readonly policyDigest: string;
    }
  | { readonly kind: 'samples'; readonly samples: Samples }
  | { readonly kind: 'csv'; readonly text: string }
  /** `policy`: it cannot be used; `verifier`: a mistake of ours. */
  | { readonly kind: 'problem'; readonly of: 'policy' | 'verifier'; readonly message: string };
