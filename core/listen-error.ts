/** What both programs say when they cannot listen where they are told to (spec/service-http.md, "Verification"). */
import { OperationalError } from './errors.ts';

/**
 * @param what is listened for, as in "the MQTT port"
 * @param cause of the system, whose code tells a port that is taken from every other reason
 * @returns PORT_IN_USE, LISTEN_FAILED
 */
export function listenError(
  what: string,
  { host, port }: { readonly host: string; readonly port: number },
  cause: unknown,
): OperationalError {
  const isTaken = cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE';
  return new OperationalError(
    isTaken ? 'PORT_IN_USE' : 'LISTEN_FAILED',
    `the ${what} port ${port} on ${host} ${isTaken ? 'is in use' : 'cannot be opened'}`,
    { retryable: false, cause },
  );
}
