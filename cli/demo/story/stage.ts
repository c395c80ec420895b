/** What all steps of a story stand on: the service, its chain and registries, the unit, and the folders of the people. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepareUnit } from '../../../agent/main.ts';
import type { RunningAnchorService } from '../../../anchor-service/main.ts';
import { toHex } from '../../../core/bytes.ts';
import { OperationalError } from '../../../core/errors.ts';
import type { PublicKey } from '../../../core/signature.ts';
import type { RegistryAddresses } from '../../../owner/chain/deploy-registries.ts';
import { deployOnLocalChain, fundOnLocalChain } from '../../../owner/chain/local-chain.ts';
import { addressOfOwner, createOwner } from '../../../owner/main.ts';
import { WORTHLESS } from '../../../owner/password-cost.ts';
import type { ProgressLine } from '../../progress.ts';
import type { DemoFolder } from '../demo-folder.ts';
import { startDemoService } from '../demo-service.ts';

export type Say = (sentence: string) => void;

export type StoryOptions = {
  readonly folder: DemoFolder;
  /** What both owners drive. */
  readonly log: string;
  /** Times real pace. */
  readonly speed: number;
  readonly say: Say;
  readonly line: ProgressLine;
  readonly signal: AbortSignal;
};

export type Stage = StoryOptions & {
  readonly unit: string;
  readonly service: RunningAnchorService;
  readonly rpc: string;
  readonly registries: RegistryAddresses;
  /** Of the unit while it is the owner's; the next owner's unit has another. */
  readonly deviceKey: PublicKey;
  readonly cast: Cast;
  /** Lets a further device key open sessions at the service. */
  admit(key: PublicKey): void;
};

/** Folders, and the one password of them all. */
export type Cast = {
  readonly owner: string;
  readonly insurer: string;
  readonly buyer: string;
  readonly password: string;
};

/** @param stack stops what was started */
export async function setStage(options: StoryOptions, stack: AsyncDisposableStack): Promise<Stage> {
  const { folder, say, signal } = options;
  say('Making the keys of the unit; starting broker, chain, time stamp authority, service');
  const deviceKey = prepareUnit(folder.unit);
  mkdirSync(folder.story, { mode: 0o700 });
  const listed = join(folder.story, 'device-keys.json');
  const admitted: string[] = [];
  const admit = ({ bytes }: PublicKey): void => {
    admitted.push(toHex(bytes));
    writeFileSync(listed, JSON.stringify(admitted));
  };
  admit(deviceKey);
  const service = await startDemoService(folder.service, { file: listed }, signal);
  stack.defer(async () => await service.stop());
  const [rpc] = service.rpcUrls;
  if (rpc === undefined) {
    throw new OperationalError('CHAIN_UNREACHABLE', 'the service names no endpoint of its chain', {
      retryable: false,
    });
  }
  const registries = await deployOnLocalChain(rpc);
  say(`  Chain ${service.chainId}, with VehicleRegistry and GrantRegistry on it.`);
  const cast = await callCast(folder.story, rpc);
  say('  An owner, an insurer and a buyer each have a wallet and a recovery key of their own.');
  return { ...options, unit: folder.unit, service, rpc, registries, deviceKey, cast, admit };
}

async function callCast(folder: string, rpc: string): Promise<Cast> {
  const cast: Cast = {
    owner: join(folder, 'owner'),
    insurer: join(folder, 'insurer'),
    buyer: join(folder, 'buyer'),
    // Of folders that are gone when the story is told.
    password: toHex(randomBytes(16)),
  };
  for (const one of [cast.owner, cast.insurer, cast.buyer]) {
    await createOwner(one, cast.password, undefined, WORTHLESS);
    await fundOnLocalChain(rpc, addressOfOwner(one));
  }
  return cast;
}
