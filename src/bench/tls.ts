/**
 * A self-signed certificate for 127.0.0.1, so that peers with TLS need no file of anybody's: X.509 (RFC 5280) in DER, signed
 * with ECDSA P-256. It is for the loopback of one run and nothing else.
 */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

export interface Tls {
  /** PEM. The certificate is its own authority. */
  cert: string
  key: string
}

const DAY_MS = 86_400_000

export function selfSigned (now: number = Date.now()): Tls {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const algorithm = sequence(oid(1, 2, 840, 10_045, 4, 3, 2)) // ecdsa-with-SHA256
  const name = sequence(tagged(0x31, sequence(oid(2, 5, 4, 3), tagged(0x0c, Buffer.from('localhost')))))
  const serial = randomBytes(8)
  serial[0] = (serial[0] ?? 0) & 0x7f | 0x40 // positive, and no leading zero
  const statement = sequence(
    tagged(0xa0, integer(2)), // version 3
    tagged(0x02, serial),
    algorithm,
    name,
    sequence(time(now - DAY_MS), time(now + 7 * DAY_MS)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(
      extension(oid(2, 5, 29, 19), sequence(tagged(0x01, Buffer.from([0xff])))), // basicConstraints: an authority
      extension(oid(2, 5, 29, 17), sequence(tagged(0x82, Buffer.from('localhost')), tagged(0x87, Buffer.from([127, 0, 0, 1])))) // subjectAltName
    ))
  )
  const signature = sign('sha256', statement, privateKey)
  const certificate = sequence(statement, algorithm, tagged(0x03, Buffer.from([0]), signature))
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64').match(/.{1,64}/g)?.join('\n')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  }
}

function tagged (tag: number, ...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts)
  const length = body.length < 0x80 ? [body.length] : body.length < 0x100 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}

const sequence = (...parts: Uint8Array[]): Buffer => tagged(0x30, ...parts)
const integer = (value: number): Buffer => tagged(0x02, Buffer.from([value]))
const extension = (id: Buffer, value: Buffer): Buffer => sequence(id, tagged(0x04, value))

function oid (first: number, second: number, ...rest: number[]): Buffer {
  const bytes = [first * 40 + second]
  for (const part of rest) {
    const groups = [part & 0x7f]
    for (let left = part >> 7; left > 0; left >>= 7) groups.unshift(left & 0x7f | 0x80)
    bytes.push(...groups)
  }
  return tagged(0x06, Buffer.from(bytes))
}

/** UTCTime: YYMMDDhhmmssZ. */
const time = (ms: number): Buffer => tagged(0x17, Buffer.from(`${new Date(ms).toISOString().replaceAll(/[-:T]|\..*$/g, '').slice(2)}Z`))
