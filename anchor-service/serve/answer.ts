/** What a route answers: an object that becomes JSON, a text, or a file of the folder of published windows. */
export type Answer = {
  readonly code: number;
  /** An object is sent as JSON. */
  readonly body: object | string | { readonly file: string; readonly bytes: number };
  readonly headers?: Readonly<Record<string, string>>;
};

export const IMMUTABLE = { 'cache-control': 'public, max-age=31536000, immutable' };

export function refusal(code: number, name: string): Answer {
  return { code, body: { code: name } };
}
