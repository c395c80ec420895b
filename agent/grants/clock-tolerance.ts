/** Clocks differ: what was signed just now may be ahead of the unit's. */
export const CLOCK_TOLERANCE_S = 300;
