/** Which keys a token has, from the list that pkcs11-tool prints. */
export type TokenKey = {
  /** CKA_ID in hexadecimal. */
  readonly id: string;
  /** What the token says of the private key, such as `never extractable`. */
  readonly access: readonly string[];
};

/** Whatever its label. */
export function hasObject(list: Uint8Array, id: string): boolean {
  return objectsIn(list).some((object) => object.get('ID') === id);
}

/** Each key begins with a line of its own, and its attributes are indented below it. */
export function findKeys(list: Uint8Array, label: string): readonly TokenKey[] {
  return objectsIn(list)
    .filter((object) => object.get('label') === label)
    .map((object) => ({
      id: object.get('ID') ?? '',
      access: (object.get('Access') ?? '').split(', '),
    }))
    .filter(({ id }) => /^([0-9a-f]{2})+$/.test(id));
}

function objectsIn(list: Uint8Array): readonly ReadonlyMap<string, string>[] {
  const text = Buffer.from(list.buffer, list.byteOffset, list.length).toString('utf8');
  return text.split(/^(?=\S)/m).map(attributesOf);
}

function attributesOf(object: string): ReadonlyMap<string, string> {
  const lines = [...object.matchAll(/^ +(\w+): +(.*?)\s*$/gm)];
  return new Map(lines.map(([, name = '', value = '']) => [name, value]));
}

/** Made in the token, and at no time one that could be read. */
export function isUnreadable({ access }: TokenKey): boolean {
  return ['always sensitive', 'never extractable', 'local'].every((word) => access.includes(word));
}
