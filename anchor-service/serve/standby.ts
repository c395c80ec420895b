/**
 * What a service answers while another one leads: that it lives, and that it is not ready. Implements
 * spec/service-http.md, "Standby". Windows and everything else are asked of the one that leads.
 */
import type { Answer } from './answer.ts';

export function standbyAnswer(
  url: string,
  { term, holder }: { readonly term: number; readonly holder: string | undefined },
): Answer {
  const [path] = url.split('?', 1);
  if (path === '/healthz') return { code: 200, body: { status: 'standby' } };
  const about = { role: 'standby', term, leader: holder ?? null };
  return path === '/readyz'
    ? { code: 503, body: { ready: false, ...about } }
    : { code: 503, body: { code: 'STANDBY', ...about } };
}
