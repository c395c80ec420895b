/** What may leave the store. */
export type WindowPlace = { readonly windowSeq: number; readonly windowIndex: number };

export type RetentionStore = {
  /**
   * The next statement from this place on, in the order of windows.
   * @returns undefined when there is none, or when its window is not PUBLISHED or became final less than `olderThanS`
   *   seconds before the newest one, by the chain's time
   */
  nextPlace(from: WindowPlace, olderThanS: number): WindowPlace | undefined;
  /** So many places from this one on, but for what is still needed, in one transaction. @returns how many statements are gone */
  prune(from: WindowPlace, count: number): number;
};
