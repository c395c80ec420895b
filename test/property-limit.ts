/**
 * A property that fails is shrunk in the same call, which no test's timeout can end: some would go on for hours.
 * Vitest runs this before each file.
 */
import fc from 'fast-check';

fc.configureGlobal({ interruptAfterTimeLimit: 240_000, markInterruptAsFailure: true });
