import { expect, test } from 'vitest';
import { listenError } from '../../core/listen-error.ts';

const LISTEN = { host: '127.0.0.1', port: 1883 };

test('a port that is taken has a code of its own', () => {
  const cause = Object.assign(new Error('listen'), { code: 'EADDRINUSE' });
  const error = listenError('MQTT', LISTEN, cause);
  expect(error).toMatchObject({ code: 'PORT_IN_USE', retryable: false, cause });
  expect(error.message).toBe('the MQTT port 1883 on 127.0.0.1 is in use');
});

test.each([
  ['another code', Object.assign(new Error('listen'), { code: 'EACCES' })],
  ['no code', new Error('listen')],
  ['no error', 'EADDRINUSE'],
])('whatever else it was, with %s, the port cannot be opened', (_what, cause) => {
  const error = listenError('HTTP', LISTEN, cause);
  expect(error.code).toBe('LISTEN_FAILED');
  expect(error.message).toBe('the HTTP port 1883 on 127.0.0.1 cannot be opened');
});
