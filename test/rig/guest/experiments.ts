/** In the guest: a job is a list of named experiments; what each found is one line of output. */

export type Experiments = Readonly<Record<string, () => unknown>>;

/** What experiments find, by name, as the host gets it. */
export type Findings<Of extends Experiments> = {
  readonly [Name in keyof Of]: Awaited<ReturnType<Of[Name]>>;
};

/** One that throws does not stop those after it: one boot serves many tests. */
export async function runExperiments(experiments: Experiments): Promise<void> {
  for (const [name, experiment] of Object.entries(experiments)) {
    const startedMs = performance.now();
    let line: string;
    try {
      line = `found ${name} ${JSON.stringify((await experiment()) ?? null)}`;
    } catch (error) {
      line = `broke ${name} ${JSON.stringify(error instanceof Error ? error.stack : String(error))}`;
    }
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    process.stdout.write(`${line}\ntook ${name} ${seconds} s\n`);
  }
  // What an experiment that threw has left running ends with the machine.
  process.exit();
}
