/**
 * Proof of being the same user on the same machine: whoever can read a key file that only this user can read shows so
 * with HMAC-SHA256(key, sender ‖ 0 ‖ receiver), peer ids in base58. It is good between these two peers only.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { link, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'

export interface UserProof {
  /** What `sender` shows to `receiver`, in base64url. Undefined when there is no key. */
  make: (sender: string, receiver: string) => string | undefined
  holds: (sender: string, receiver: string, proof: string) => boolean
}

const KEY_BYTES = 32

export function createUserProof (key: Uint8Array | undefined): UserProof {
  const mac = (sender: string, receiver: string): Buffer | undefined =>
    key === undefined ? undefined : createHmac('sha256', key).update(`${sender}\0${receiver}`).digest()
  return {
    make: (sender, receiver) => mac(sender, receiver)?.toString('base64url'),
    holds (sender, receiver, proof) {
      const expected = mac(sender, receiver)
      const shown = Buffer.from(proof, 'base64url')
      return expected !== undefined && shown.length === expected.length && timingSafeEqual(shown, expected)
    }
  }
}

/** The key in `folder`, made when there is none: of several that begin at once, all get the key of the fastest. */
export async function userKey (folder: string): Promise<Uint8Array> {
  const file = join(folder, 'user.key')
  try {
    return await read(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  const handle = await open(draft, 'wx', 0o600)
  try {
    await handle.writeFile(randomBytes(KEY_BYTES))
    await handle.sync()
  } finally {
    await handle.close()
  }
  try {
    // A link appears whole or not at all, and never replaces what is there.
    await link(draft, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await unlink(draft)
  }
  return await read(file)
}

async function read (file: string): Promise<Uint8Array> {
  const handle = await open(file)
  try {
    const { mode, uid } = await handle.stat()
    if ((mode & 0o077) !== 0 || uid !== process.getuid?.()) throw new Error(`${file} can be read by others: chmod 600 it, or remove it`)
    const key = await handle.readFile()
    if (key.length !== KEY_BYTES) throw new Error(`${file} has ${key.length} bytes and not ${KEY_BYTES}: remove it`)
    return key
  } finally {
    await handle.close()
  }
}
