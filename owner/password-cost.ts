/** How slow it is to guess the password of an owner's folder: the work of scrypt, as powers of two. */

export type PasswordCost = {
  /** Of `wallet.json`. */
  readonly walletLogN: number;
  /** Of `recovery.age`. */
  readonly recoveryLogN: number;
};

/** As wallets and age itself have it: about a second each on today's machines. */
export const SLOW: PasswordCost = { walletLogN: 17, recoveryLogN: 18 };

/** For folders whose password everybody knows: those of tests and of demos. */
export const WORTHLESS: PasswordCost = { walletLogN: 10, recoveryLogN: 10 };
