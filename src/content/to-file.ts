/** Chunks into a file, each at its place, under the name `<file>.partial` until it is whole. */
import { mkdirSync } from 'node:fs'
import { open, rename, rm, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { A2aError } from '../core/errors.ts'
import type { ContentRef } from '../core/content.ts'
import { createBitmap, type Bitmap } from './bitmap.ts'
import type { Sink } from './download.ts'
import { assertUnchanged, fingerprintOf, readFully, writeFully, type Fingerprint } from './files.ts'
import { assertDiskHas, type Keeper, type Offered } from './keep.ts'
import { FETCH } from './limits.ts'
import { lock } from './lock.ts'
import { countOf, digest, holds, lengthOf, type Tree } from './tree.ts'

/** After so many bytes the disk is told to begin, so that little is left for the end. */
const SYNC_BYTES = 67_108_864

export interface FileSink extends Sink {
  /** Gives the file its name. */
  finish: () => Promise<void>
  /** Bytes that were there and hold; known once it has begun. */
  resumedBytes: () => number
  close: () => Promise<void>
}

export interface FileSinkParts {
  keeper: Pick<Keeper, 'offer' | 'withdraw'>
  /** Our own addresses, for others who fetch it. */
  addresses: string[]
  onBegun: (resumedBytes: number) => void
  onBytes: (bytes: number) => void
}

/** @throws A2aError BAD_USAGE when it is being written already, by whatever process; NO_SPACE */
export async function createFileSink (file: string, ref: ContentRef, { keeper, addresses, onBegun, onBytes }: FileSinkParts): Promise<FileSink> {
  const partial = `${file}.partial`
  mkdirSync(dirname(file), { recursive: true })
  const unlock = lock(partial)
  let handle: FileHandle
  try {
    handle = await openOrCreate(partial)
  } catch (error) {
    unlock()
    throw error
  }
  const rooms: Uint8Array[] = Array.from({ length: FETCH.working }, () => Buffer.allocUnsafeSlow(Math.min(ref.chunkBytes, Math.max(1, ref.bytes))))
  const waiting: Array<(room: Uint8Array) => void> = []
  let have: Bitmap | undefined
  let offered: Offered | undefined
  let finished: Fingerprint | undefined
  let resumed = 0
  let isThere = false
  let unsynced = 0
  let syncing: Promise<void> | undefined

  function free (room: Uint8Array): void {
    const next = waiting.shift()
    if (next === undefined) rooms.push(room)
    else next(room)
  }

  return {
    keeps: addresses,
    limit: () => countOf(ref),
    resumedBytes: () => resumed,
    async begin (tree) {
      have = await checkExisting(handle, tree)
      if (have.count() === 0) isThere = await isWhole(file, tree)
      if (isThere) have = everything(tree)
      resumed = bytesOf(have, tree)
      assertDiskHas(dirname(file), ref.bytes - resumed)
      onBegun(resumed)
      offered = offer(tree, have)
      keeper.offer(offered)
      // Those who begin together and go different ways have something for each other.
      return { have, start: Math.floor(Math.random() * countOf(tree)) }
    },
    room: async () => rooms.pop() ?? await new Promise(resolve => { waiting.push(resolve) }),
    async put (index, room) {
      const chunk = room.subarray(0, lengthOf(ref, index))
      await writeFully(handle, chunk, index * ref.chunkBytes, file).finally(() => { free(room) })
      onBytes(chunk.length)
      unsynced += chunk.length
      if (unsynced >= SYNC_BYTES && syncing === undefined) {
        unsynced = 0
        // What it says is said again by the last one, or by the write that fails.
        syncing = handle.datasync().catch(() => {}).finally(() => { syncing = undefined })
      }
    },
    free,
    async finish () {
      if (isThere) {
        await rm(partial)
      } else {
        await handle.truncate(ref.bytes)
        // The name says that it is whole, also after a power failure.
        await syncing
        await handle.sync()
        await rename(partial, file)
      }
      finished = await fingerprintOf(file)
    },
    async close () {
      if (finished === undefined && offered !== undefined) keeper.withdraw(offered)
      await syncing
      await handle.close().finally(unlock)
    }
  }

  function offer (tree: Tree, bitmap: Bitmap): Offered {
    return {
      tree,
      key: ref.key,
      name: ref.name,
      mediaType: ref.mediaType,
      servedBytes: 0,
      file: () => finished === undefined ? partial : file,
      has: bitmap.has,
      whole: () => finished !== undefined,
      read: async () => {
        const reading = await open(finished === undefined ? partial : file, 'r')
        return {
          take: async (target, position) => {
            if (!await readFully(reading, target, position)) throw new A2aError({ code: 'CONTENT_CHANGED', hash: tree.hash, why: 'its file became shorter' })
            if (finished !== undefined) await assertUnchanged(file, finished, tree.hash)
          },
          close: async () => { await reading.close() }
        }
      }
    }
  }
}

async function openOrCreate (path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return await open(path, 'wx+')
  }
}

/** What is there from an earlier attempt is believed only once it has been hashed again. */
async function checkExisting (handle: FileHandle, tree: Tree): Promise<Bitmap> {
  const count = countOf(tree)
  const have = createBitmap(count)
  const { size } = await handle.stat()
  let next = 0
  const work = async (): Promise<void> => {
    const buffer = Buffer.allocUnsafeSlow(tree.chunkBytes)
    for (let index = next++; index < count && index * tree.chunkBytes < size; index = next++) {
      const chunk = buffer.subarray(0, lengthOf(tree, index))
      if (await readFully(handle, chunk, index * tree.chunkBytes) && holds(tree, index, await digest(chunk))) have.add(index)
    }
  }
  if (size > 0) await Promise.all([work(), work(), work(), work()])
  return have
}

/** Whether the file itself is what is to be fetched: an attempt before this one has come to its end. */
async function isWhole (file: string, tree: Tree): Promise<boolean> {
  const before = await open(file, 'r').catch(() => undefined)
  if (before === undefined) return false
  try {
    return (await before.stat()).size === tree.bytes && (await checkExisting(before, tree)).count() === countOf(tree)
  } finally {
    await before.close()
  }
}

function everything (tree: Tree): Bitmap {
  const all = createBitmap(countOf(tree))
  for (let index = 0; index < countOf(tree); index++) all.add(index)
  return all
}

function bytesOf (have: Bitmap, tree: Tree): number {
  let bytes = 0
  for (let index = 0; index < countOf(tree); index++) if (have.has(index)) bytes += lengthOf(tree, index)
  return bytes
}
