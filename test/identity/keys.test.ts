import { generateKeyPairSync } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { base58btc } from 'multiformats/bases/base58'
import { keyFromSeed } from './libp2p-key.ts'
import { keyOfSeed, loadOrCreateKey, publicKeyOf, rawPublicKey, seedOf, toDid } from '../../src/identity/keys.ts'
import { rootKey, withCode } from './support.ts'

describe('a key file', () => {
  let home: string
  before(async () => { home = await mkdtemp(join(tmpdir(), 'a2a-keys-')) })
  after(() => rm(home, { recursive: true }))

  it('is made once, private, in a private folder, and read back as the same key', async () => {
    const file = join(home, 'a/b/root.pem')
    const made = await loadOrCreateKey(file)
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    assert.equal((await stat(dirname(file))).mode & 0o777, 0o700)
    assert.match(await readFile(file, 'utf8'), /^-----BEGIN PRIVATE KEY-----\n/)
    assert.ok(made.equals(await loadOrCreateKey(file)))
    assert.deepEqual(await readdir(dirname(file)), ['root.pem'], 'no temporary file stays')
  })

  it('is the same key for all who make it at once', async () => {
    const file = join(home, 'race/root.pem')
    const keys = await Promise.all(Array.from({ length: 16 }, () => loadOrCreateKey(file)))
    assert.equal(new Set(keys.map(toDid)).size, 1)
    assert.deepEqual(await readdir(dirname(file)), ['root.pem'])
  })

  for (const [what, content, mode, why] of [
    ['that others can read', '', 0o640, /mode 0640.*chmod 600/],
    ['that is empty', '', 0o600, /no private key/],
    ['that holds something else', 'hello', 0o600, /no private key/],
    ['of another algorithm', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'pem', type: 'pkcs8' }), 0o600, /not of Ed25519/],
    ['that holds a public key only', generateKeyPairSync('ed25519').publicKey.export({ format: 'pem', type: 'spki' }), 0o600, /no private key/],
    ['that is huge', 'x'.repeat(10_000), 0o600, /too large/]
  ] as const) {
    it(`is refused and left alone when it is one ${what}`, async () => {
      const file = join(home, 'bad.pem')
      await writeFile(file, content)
      await chmod(file, mode)
      await assert.rejects(loadOrCreateKey(file), withCode('KEY_INVALID', why))
      assert.equal(await readFile(file, 'utf8'), content)
      await rm(file)
    })
  }

  it('says that the home cannot be used when its folder is none, or the key a folder', async () => {
    await writeFile(join(home, 'file'), '')
    await assert.rejects(loadOrCreateKey(join(home, 'file/root.pem')), withCode('HOME_UNUSABLE', /ENOTDIR/))
    await mkdir(join(home, 'folder.pem'), { mode: 0o700 })
    await assert.rejects(loadOrCreateKey(join(home, 'folder.pem')), withCode('KEY_INVALID'))
  })
})

describe('a did:key', () => {
  // The test vector of the did:key specification.
  const did = 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'

  it('is read and written as its specification says', () => {
    const key = publicKeyOf(did)
    assert.equal(Buffer.from(rawPublicKey(key)).toString('hex'), '2e6fcce36701dc791488e0d0b1745cc1e33a4c1c9fcc41c63bd343dbbe0970e6')
    assert.equal(toDid(key), did)
  })

  it('is imported once', () => {
    assert.equal(publicKeyOf(did), publicKeyOf(did))
  })

  for (const [what, bad] of [
    ['nothing', ''],
    ['another method', 'did:web:example.org'],
    ['another base', did.replace(':z', ':u')],
    ['characters outside base58', `${did.slice(0, -1)}0`],
    ['one character less', did.slice(0, -1)],
    ['one character more', `${did}1`],
    ['a fragment', `${did}#key-1`],
    ['a key of secp256k1', `did:key:${base58btc.encode(Uint8Array.of(0xe7, 0x01, ...new Uint8Array(33)))}`],
    ['leading zeros', did.replace(':z', ':z1')]
  ] as const) {
    it(`is refused with ${what}`, () => {
      assert.throws(() => publicKeyOf(bad), withCode('CREDENTIAL_INVALID'))
    })
  }
})

describe('a seed', () => {
  it('gives the same key back, and is the one libp2p takes', async () => {
    const key = rootKey(7)
    assert.deepEqual(Buffer.from(seedOf(key)), Buffer.alloc(32, 7))
    assert.ok(keyOfSeed(seedOf(key)).equals(key))
    assert.deepEqual(await keyFromSeed(seedOf(key)), rawPublicKey(key))
  })
})
