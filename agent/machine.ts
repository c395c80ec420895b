/** What the agent needs of the machine that it runs on; `main.ts` fills it in, and a test may replace a part. */
import type { VerifyDigest } from '../core/signature.ts';
import type { AgentConfig, AnchorServiceAccess, LiveCapture, ReplayCapture } from './config.ts';
import type { KeyFiles } from './keys.ts';
import type {
  AtCommitPoint,
  Broker,
  CaptureSource,
  ClockReading,
  DeviceKeyStore,
  FrameSource,
  LeafSealing,
  LogSurvey,
  Primitives,
  RunningClockQuality,
  Signer,
} from './ports.ts';
import type { JournalFile } from './record/journal-file.ts';

export type Machine = {
  readonly primitives: Primitives;
  readonly verify: VerifyDigest;
  readonly keyFiles: KeyFiles;
  /** To an X25519 key (spec/sealing.md). @throws FormatError HPKE_KEY */
  readonly hpkeSeal: (recipient: Uint8Array, info: Uint8Array, plain: Uint8Array) => Uint8Array;
  readonly deviceKeys: DeviceKeyStore;
  /** Its secret is nowhere but in memory. */
  readonly newSessionSigner: () => Signer;
  readonly newSealing: () => LeafSealing;
  readonly readBootId: () => Uint8Array;
  readonly readClock: () => ClockReading;
  readonly softwareHash: () => Uint8Array;
  readonly newBroker: (service: AnchorServiceAccess, clientId: string) => Broker;
  readonly surveyLog: (path: string) => Promise<LogSurvey>;
  readonly openReplay: (capture: ReplayCapture, startAfterLine: number) => Promise<FrameSource>;
  readonly openCapture: (capture: LiveCapture) => Promise<CaptureSource>;
  readonly openClockQuality: (gpsd: AgentConfig['clock']['gpsd']) => RunningClockQuality;
  readonly openJournal: (folder: string) => JournalFile;
  /** Stops the process between a commit and its effect, in tests. */
  readonly atCommitPoint: AtCommitPoint;
};
