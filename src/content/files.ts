/** Files of contents: what tells that one has changed, its hash tree, and reading from it. */
import { open, stat, type FileHandle } from 'node:fs/promises'
import type { BigIntStats } from 'node:fs'
import { A2aError, messageOf } from '../core/errors.ts'
import { chunkBytesFor, countOf, digest, HASH_BYTES, rootOf, type Tree } from './tree.ts'

/** A file as it was when its content was hashed. */
export interface Fingerprint {
  bytes: number
  /** Nanoseconds since the epoch, and the inode; too large for a JSON number. */
  modified: string
  inode: string
}

/** Read at once, and hashed in one turn of the event loop. */
const READ_BYTES = 1_048_576

/** @throws A2aError BAD_USAGE when there is no such file */
export async function fingerprintOf (file: string): Promise<Fingerprint> {
  let found: BigIntStats
  try {
    found = await stat(file, { bigint: true })
  } catch (error) {
    throw new A2aError({ code: 'BAD_USAGE', why: `cannot read ${file}: ${messageOf(error)}` }, { cause: error })
  }
  if (!found.isFile()) throw new A2aError({ code: 'BAD_USAGE', why: `${file} is no file`, hint: 'pack a folder first' })
  return { bytes: Number(found.size), modified: String(found.mtimeNs), inode: String(found.ino) }
}

export const isSame = (one: Fingerprint, other: Fingerprint): boolean => one.bytes === other.bytes && one.modified === other.modified && one.inode === other.inode

/** @throws A2aError CONTENT_CHANGED */
export async function assertUnchanged (file: string, before: Fingerprint, hash: string): Promise<void> {
  const now = await fingerprintOf(file).catch(() => undefined)
  if (now === undefined) throw new A2aError({ code: 'CONTENT_CHANGED', hash, why: 'its file is gone' })
  if (!isSame(now, before)) throw new A2aError({ code: 'CONTENT_CHANGED', hash, why: 'its file is not what it was' })
}

/**
 * Hashes a file chunk by chunk.
 * @throws A2aError CONTENT_CHANGED when it changes meanwhile
 */
export async function hashFile (file: string, before: Fingerprint, { signal, onBytes = () => {} }: { signal?: AbortSignal, onBytes?: (bytes: number) => void } = {}): Promise<Tree> {
  const shape = { bytes: before.bytes, chunkBytes: chunkBytesFor(before.bytes) }
  const count = countOf(shape)
  const hashes = new Uint8Array(count * HASH_BYTES)
  const handle = await open(file, 'r')
  // One is read while the other is hashed.
  const buffers = [0, 1].map(() => Buffer.allocUnsafeSlow(Math.min(Math.max(READ_BYTES, shape.chunkBytes), Math.max(1, shape.bytes))))
  const atOnce = Math.max(1, Math.floor(READ_BYTES / shape.chunkBytes))
  const readFrom = async (first: number): Promise<Uint8Array> => {
    const from = first * shape.chunkBytes
    const target = (buffers[(first / atOnce) & 1] as Buffer).subarray(0, Math.min(atOnce * shape.chunkBytes, shape.bytes - from))
    if (!await readFully(handle, target, from)) throw new A2aError({ code: 'CONTENT_CHANGED', hash: file, why: 'its file became shorter' })
    return target
  }
  try {
    let reading = count > 0 ? readFrom(0) : undefined
    for (let first = 0; reading !== undefined; first += atOnce) {
      signal?.throwIfAborted()
      const bytes = await reading
      reading = first + atOnce < count ? readFrom(first + atOnce) : undefined
      reading?.catch(() => {})
      for (let index = first; index < Math.min(count, first + atOnce); index++) {
        hashes.set(digest(bytes.subarray((index - first) * shape.chunkBytes, (index - first + 1) * shape.chunkBytes)), index * HASH_BYTES)
      }
      onBytes(bytes.length)
    }
  } finally {
    await handle.close()
  }
  const tree = { ...shape, hashes, hash: rootOf({ ...shape, hashes }) }
  await assertUnchanged(file, before, tree.hash)
  return tree
}

/** Fills `target` from `position` on. False: the file ends before. */
export async function readFully (handle: FileHandle, target: Uint8Array, position: number): Promise<boolean> {
  for (let filled = 0; filled < target.length;) {
    const { bytesRead } = await handle.read(target, filled, target.length - filled, position + filled)
    if (bytesRead === 0) return false
    filled += bytesRead
  }
  return true
}

/** Writes all of `bytes` at `position`. @throws A2aError NO_SPACE */
export async function writeFully (handle: FileHandle, bytes: Uint8Array, position: number, file: string): Promise<void> {
  try {
    for (let written = 0; written < bytes.length;) {
      written += (await handle.write(bytes, written, bytes.length - written, position + written)).bytesWritten
    }
  } catch (error) {
    throw noSpace(error, file)
  }
}

/** A full disk, quota or limit as what it is; anything else as it came. */
export function noSpace (error: unknown, file: string): unknown {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG'
    ? new A2aError({ code: 'NO_SPACE', file, why: code === 'ENOSPC' ? 'the disk is full' : messageOf(error) }, { cause: error })
    : error
}
