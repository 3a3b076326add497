import { createDecipheriv, pbkdf2Sync } from 'node:crypto'

/** One value of DER: tag and content. Lengths are always definite there. */
type Value = { tag: number; body: Buffer }

const valuesOf = (bytes: Buffer): Value[] => {
  const values: Value[] = []
  for (let at = 0; at < bytes.length; ) {
    const [tag = 0, first = 0] = bytes.subarray(at)
    const more = first > 0x80 ? first - 0x80 : 0
    if (first === 0x80 || more > 4 || at + 2 + more > bytes.length) throw new Error('it is not DER')
    const length = more === 0 ? first : bytes.readUIntBE(at + 2, more)
    const start = at + 2 + more
    if (start + length > bytes.length) throw new Error('it is cut off')
    values.push({ tag, body: bytes.subarray(start, start + length) })
    at = start + length
  }
  return values
}
/** What lies in a constructed value, or in an octet string that holds one. */
const inside = (value: Value | undefined): Value[] => valuesOf(value?.body ?? Buffer.alloc(0))
const into = (value: Value | undefined, ...path: number[]): Value | undefined =>
  path.reduce<Value | undefined>((at, index) => inside(at)[index], value)
const oid = (value: Value | undefined): string => value?.body.toString('hex') ?? ''

const DATA = '2a864886f70d010701'
const ENCRYPTED = '2a864886f70d010706'
const CERTIFICATE_BAG = '2a864886f70d010c0a0103'
const PBES2 = '2a864886f70d01050d'
const HASHES: Record<string, string> = {
  '': 'sha1',
  '2a864886f70d0207': 'sha1',
  '2a864886f70d0209': 'sha256',
  '2a864886f70d020a': 'sha384',
  '2a864886f70d020b': 'sha512',
}
const CIPHERS: Record<string, readonly [name: string, keyBytes: number]> = {
  '60864801650304012a': ['aes-256-cbc', 32],
  '608648016503040116': ['aes-192-cbc', 24],
  '608648016503040102': ['aes-128-cbc', 16],
}

/** Source: RFC 8018, PBES2 with PBKDF2. Throws where the store uses an older encryption. */
const decrypted = (algorithm: Value | undefined, bytes: Buffer, password: string): Buffer => {
  const [scheme, parameters] = inside(algorithm)
  const [salt, iterations, ...others] = inside(into(parameters, 0, 1))
  const [cipher, iv] = inside(into(parameters, 1))
  const [name, keyBytes] = CIPHERS[oid(cipher)] ?? []
  const hash =
    HASHES[
      oid(
        into(
          others.find(({ tag }) => tag === 0x30),
          0,
        ),
      )
    ]
  if (oid(scheme) !== PBES2 || !name || !keyBytes || !hash || !salt || !iterations || !iv) {
    throw new Error('it is encrypted in an old way (RC2 or triple DES)')
  }
  const rounds = iterations.body.readUIntBE(0, Math.min(6, iterations.body.length))
  const key = pbkdf2Sync(password, salt.body, Math.min(rounds, 10_000_000), keyBytes, hash)
  try {
    const decipher = createDecipheriv(name, key, iv.body)
    return Buffer.concat([decipher.update(bytes), decipher.final()])
  } catch {
    throw new Error('the password does not open it')
  }
}

/**
 * The certificates of a PKCS12 store, DER each; for trust stores, which Node does not read. Throws an Error that says why
 * it can't be read. Its checksum is not looked at: who could change the file could replace it. Source: RFC 7292.
 */
export const certificatesOf = (store: Buffer, password: string): Buffer[] => {
  const safes = inside(into(valuesOf(store)[0], 1, 1, 0, 0))
  return safes.flatMap(safe => {
    const [kind, content] = inside(safe)
    if (oid(kind) === DATA) return fromBags(into(content, 0, 0))
    if (oid(kind) !== ENCRYPTED) return []
    const [, algorithm, bytes] = inside(into(content, 0, 1))
    const [bags] = valuesOf(decrypted(algorithm, bytes?.body ?? Buffer.alloc(0), password))
    return fromBags(bags)
  })
}

const fromBags = (bags: Value | undefined): Buffer[] =>
  inside(bags).flatMap(bag => {
    const [kind, value] = inside(bag)
    const certificate = oid(kind) === CERTIFICATE_BAG ? into(value, 0, 1, 0) : undefined
    return certificate ? [certificate.body] : []
  })
