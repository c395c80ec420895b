/**
 * Defaults by the law of a region. A profile is data: every value of it can be set by its own key.
 * Implements spec/configuration.md, "Privacy", which has the reason of each; it is no legal advice.
 */
export type PrivacyDefaults = {
  readonly maxAgeDays: number;
  /** False: after each start of the machine nothing is recorded until the driver says so. */
  readonly recordAtBoot: boolean;
};

export const PRIVACY_PROFILES = {
  none: { maxAgeDays: 365, recordAtBoot: true },
  eu: { maxAgeDays: 30, recordAtBoot: true },
  cn: { maxAgeDays: 30, recordAtBoot: false },
  us: { maxAgeDays: 365, recordAtBoot: true },
} as const satisfies Readonly<Record<string, PrivacyDefaults>>;

export type PrivacyProfile = keyof typeof PRIVACY_PROFILES;
export const PROFILE_NAMES = Object.keys(PRIVACY_PROFILES) as readonly PrivacyProfile[];
