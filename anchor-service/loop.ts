/** A step that runs again and again, never twice at a time, and can be woken early. */

export type Loop = {
  /** Runs the step soon; once more when it is running now. */
  wake(): void;
  /** Resolves when the step is not running and will not run again. */
  stop(): Promise<void>;
};

export type LoopOptions = {
  readonly everyMs: number;
  readonly step: () => Promise<void>;
  readonly onSuccess: () => void;
  readonly onError: (error: unknown) => void;
};

export function startLoop(options: LoopOptions): Loop {
  let stopped = false;
  let woken = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;

  const run = async (): Promise<void> => {
    try {
      await options.step();
      options.onSuccess();
    } catch (error) {
      options.onError(error);
    }
    running = undefined;
    if (!stopped) schedule(woken ? 0 : options.everyMs);
    woken = false;
  };
  const schedule = (afterMs: number): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      running = run();
    }, afterMs);
  };
  schedule(0);
  return {
    wake: () => {
      if (stopped) return;
      if (running === undefined) schedule(0);
      else woken = true;
    },
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
