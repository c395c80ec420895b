/** Debian's pkcs11-tool (opensc) at one token, and its failures in our words. */
import type { DeviceKeyConfig } from '../../agent/ports.ts';
import { OperationalError } from '../../core/errors.ts';
import { pinRefused, readPin } from './pin-file.ts';
import { lastWords, runTool } from './run-tool.ts';

const WRONG_PIN = /CKR_PIN_(INCORRECT|INVALID|LEN_RANGE|EXPIRED|LOCKED)/;
const UNREACHABLE =
  /Failed to load pkcs11 module|No slot|CKR_(TOKEN_NOT_PRESENT|TOKEN_NOT_RECOGNIZED|DEVICE_REMOVED|DEVICE_ERROR|SLOT_ID_INVALID)/;
const UNKNOWN_KEY = /(private key|public key|object) not found/i;

/** Where the tool takes the PIN from: its arguments can be read by anybody on the machine. */
const PIN_VARIABLE = 'WITNESSMARK_TOKEN_PIN';

/** Logs in, does one thing, and gives what it printed. */
export type Pkcs11Tool = (args: readonly string[], input?: Uint8Array) => Uint8Array;

/**
 * @param limitMs for all calls together
 * @throws OperationalError SIGNER_UNAVAILABLE, SIGNER_REFUSED, SIGNER_KEY_MISSING, SIGNER_ANSWER;
 * UserError SIGNER_PIN, KEY_FILE_* of the PIN
 */
export function pkcs11Tool(
  { module, token, pinFile }: Extract<DeviceKeyConfig, { kind: 'pkcs11' }>,
  limitMs: number,
): Pkcs11Tool {
  const untilMs = performance.now() + limitMs;
  return (args, input) => {
    const login = ['--login', '--login-type', 'user', '--pin', `env:${PIN_VARIABLE}`];
    const { status, stdout, stderr } = runTool({
      name: 'pkcs11-tool',
      args: ['--module', module, '--token-label', token, ...login, ...args],
      env: { [PIN_VARIABLE]: readPin(pinFile) },
      untilMs,
      ...(input !== undefined && { input }),
    });
    if (status !== 0) throw failure(token, stderr);
    return stdout;
  };
}

function failure(token: string, stderr: string): Error {
  const words = lastWords(stderr);
  if (WRONG_PIN.test(stderr)) return pinRefused(`the token "${token}"`, words);
  if (UNREACHABLE.test(stderr)) {
    const sentence = `the token "${token}" cannot be reached: ${words}`;
    return new OperationalError('SIGNER_UNAVAILABLE', sentence, { retryable: true });
  }
  if (UNKNOWN_KEY.test(stderr)) {
    const sentence = `the token "${token}" does not have the device key: ${words}`;
    return new OperationalError('SIGNER_KEY_MISSING', sentence, { retryable: false });
  }
  const sentence = `the token "${token}" refused: ${words}`;
  return new OperationalError('SIGNER_REFUSED', sentence, { retryable: false });
}
