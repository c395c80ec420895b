/** Which unit a command is about: by its data folder, or by the configuration that names it. */
import { readAgentConfig } from '../agent/config.ts';
import { UserError } from '../core/errors.ts';

/** @throws UserError ARGUMENTS, CONFIG_* */
export function dataFolder(data: string | undefined, config: string | undefined): string {
  if ((data === undefined) === (config === undefined)) {
    throw new UserError('ARGUMENTS', 'expected either --data DIR or --config FILE');
  }
  return data ?? readAgentConfig(config ?? '').dataDir;
}
