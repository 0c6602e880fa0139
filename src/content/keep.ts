/**
 * The contents that a node has: of files elsewhere their hashes, of streams the bytes, both in the home's folder `content`;
 * and, until the node ends, what it has received or is receiving.
 *
 *   <hash>.json  who, where, as of when     <hash>.tree  the hashes of the chunks     <hash>.data  bytes of a stream
 */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import { open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import * as z from 'zod/mini'
import { A2aError, messageOf } from '../core/errors.ts'
import type { ContentRow, SendContentOptions } from '../core/content.ts'
import type { Clock, Logger } from '../core/ports.ts'
import { assertUnchanged, fingerprintOf, hashFile, isSame, noSpace, readFully, type Fingerprint } from './files.ts'
import { KEEP } from './limits.ts'
import { rootOf, type Tree } from './tree.ts'

/** A content that can be read from here: all of it, or as far as it has come. */
export interface Holding {
  readonly tree: Tree
  readonly key: string
  has: (chunk: number) => boolean
  /** Whether it has all chunks. */
  whole: () => boolean
  /** Bytes that others fetched. */
  servedBytes: number
  read: () => Promise<Reading>
}

export interface Reading {
  /** Fills `target` with the bytes from `position` on. @throws A2aError CONTENT_CHANGED */
  take: (target: Uint8Array, position: number) => Promise<void>
  close: () => Promise<void>
}

/** What is offered while this node runs, and has no entry on disk. */
export interface Offered extends Holding { readonly name?: string, readonly mediaType?: string, readonly file: () => string }

export interface Keeper {
  /** @throws A2aError BAD_USAGE, CONTENT_CHANGED, NO_SPACE, OVERLOADED */
  addFile: (file: string, options?: SendContentOptions & { onBytes?: (bytes: number) => void }) => Promise<Entry>
  /** Takes a stream into the home. @throws A2aError NO_SPACE, OVERLOADED */
  addStream: (source: AsyncIterable<Uint8Array>, options?: SendContentOptions & { onBytes?: (bytes: number) => void }) => Promise<Entry>
  offer: (holding: Offered) => void
  withdraw: (holding: Offered) => void
  /** What can be read of a content. `undefined`: nothing is known of it. */
  holding: (hash: string) => Promise<Holding | undefined>
  rows: () => Promise<ContentRow[]>
  /** Forgets a content, and removes its bytes where they are ours. False: there is none. */
  drop: (hash: string) => Promise<boolean>
}

const Saved = z.object({
  hash: z.string(),
  key: z.string(),
  bytes: z.number(),
  chunkBytes: z.number(),
  name: z.optional(z.string()),
  mediaType: z.optional(z.string()),
  file: z.string(),
  spooled: z.boolean(),
  fingerprint: z.object({ bytes: z.number(), modified: z.string(), inode: z.string() }),
  at: z.number()
})
export type Entry = z.infer<typeof Saved>

const MAX_NAME = 255
/** After so many bytes of a stream the free space is looked at again. */
const CHECK_BYTES = 16_777_216

export interface KeeperParts { folder: string, quotaBytes?: number, clock: Clock, logger: Logger }

export function createKeeper ({ folder, quotaBytes = KEEP.quotaBytes, clock, logger }: KeeperParts): Keeper {
  const entries = load(folder, logger)
  const offered = new Map<string, Offered>()
  const served = new Map<string, { servedBytes: number }>()
  let spooling = 0

  const spooled = (): number => [...entries.values()].reduce((sum, entry) => sum + (entry.spooled ? entry.bytes : 0), spooling)
  const pathOf = (hash: string, kind: 'json' | 'tree' | 'data'): string => join(folder, `${hash}.${kind}`)

  async function save (tree: Tree, file: string, fingerprint: Fingerprint, spools: boolean, { name, mediaType }: SendContentOptions): Promise<Entry> {
    makeRoom()
    const { hash, bytes, chunkBytes } = tree
    const entry: Entry = { hash, key: randomBytes(16).toString('base64url'), bytes, chunkBytes, name: name?.slice(0, MAX_NAME), mediaType, file, spooled: spools, fingerprint, at: clock.now() }
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    try {
      await writeFile(pathOf(hash, 'tree'), tree.hashes, { mode: 0o600 })
      // Last, and in one go: what it says is there.
      await writeFile(`${pathOf(hash, 'json')}.new`, JSON.stringify(entry), { mode: 0o600 })
      await rename(`${pathOf(hash, 'json')}.new`, pathOf(hash, 'json'))
    } catch (error) {
      throw noSpace(error, folder)
    }
    entries.set(hash, entry)
    return entry
  }

  function makeRoom (): void {
    if (entries.size < KEEP.entries) return
    const oldest = [...entries.values()].filter(entry => !entry.spooled).sort((a, b) => a.at - b.at)[0]
    if (oldest === undefined) throw new A2aError({ code: 'OVERLOADED', what: 'contents kept; drop some with: a2a-node content drop HASH', limit: KEEP.entries })
    forget(oldest.hash)
  }

  function forget (hash: string): void {
    const entry = entries.get(hash)
    entries.delete(hash)
    for (const kind of ['json', 'tree', ...(entry?.spooled === true ? ['data' as const] : [])] as const) rmSync(pathOf(hash, kind), { force: true })
  }

  /** An earlier entry with the same content keeps its key: refs to it are out there. */
  async function keep (tree: Tree, file: string, fingerprint: Fingerprint, options: SendContentOptions): Promise<Entry> {
    const known = entries.get(tree.hash)
    if (known === undefined) return await save(tree, file, fingerprint, false, options)
    const changed: Entry = known.spooled ? known : { ...known, file, fingerprint, name: options.name ?? known.name, mediaType: options.mediaType ?? known.mediaType }
    entries.set(tree.hash, changed)
    await writeFile(pathOf(tree.hash, 'json'), JSON.stringify(changed), { mode: 0o600 })
    return changed
  }

  const addFile: Keeper['addFile'] = async (path, { signal, onBytes, ...options } = {}) => {
    const file = resolve(path)
    const fingerprint = await fingerprintOf(file)
    const named = { ...options, name: options.name ?? basename(file) }
    const before = [...entries.values()].filter(entry => entry.file === file && !entry.spooled)
    const same = before.find(entry => isSame(entry.fingerprint, fingerprint))
    if (same !== undefined) {
      onBytes?.(same.bytes)
      return same
    }
    const tree = await hashFile(file, fingerprint, { signal, onBytes })
    for (const entry of before) {
      if (entry.hash === tree.hash) continue
      logger.warn('a file that was sent has changed; what it was can no longer be fetched', { file, hash: entry.hash })
      forget(entry.hash)
    }
    return await keep(tree, file, fingerprint, named)
  }

  const addStream: Keeper['addStream'] = async (source, { signal, onBytes, ...options } = {}) => {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const file = join(folder, `spool-${randomBytes(8).toString('hex')}.new`)
    const handle = await open(file, 'wx', 0o600)
    let bytes = 0
    let checkAt = 0
    try {
      try {
        for await (const piece of source) {
          signal?.throwIfAborted()
          if (spooled() + piece.length > quotaBytes) throw new A2aError({ code: 'NO_SPACE', file: folder, why: `contents kept here may have ${quotaBytes} bytes in all; drop some with: a2a-node content drop HASH` })
          spooling += piece.length
          bytes += piece.length
          if (bytes >= checkAt) {
            assertDiskHas(folder, piece.length)
            checkAt += CHECK_BYTES
          }
          await handle.appendFile(piece)
          onBytes?.(piece.length)
        }
      } catch (error) {
        throw noSpace(error, folder)
      } finally {
        await handle.close()
      }
      const tree = await hashFile(file, await fingerprintOf(file), { signal })
      const known = entries.get(tree.hash)
      if (known?.spooled === true) return known
      await rename(file, pathOf(tree.hash, 'data'))
      const data = pathOf(tree.hash, 'data')
      return await save(tree, data, await fingerprintOf(data), true, options)
    } finally {
      spooling -= bytes
      await rm(file, { force: true })
    }
  }

  async function holding (hash: string): Promise<Holding | undefined> {
    const entry = entries.get(hash)
    if (entry === undefined) return offered.get(hash)
    const { bytes, chunkBytes, file, fingerprint, key } = entry
    const hashes = await readFile(pathOf(hash, 'tree')).catch(() => new Uint8Array())
    if (rootOf({ bytes, chunkBytes, hashes }) !== hash) throw new A2aError({ code: 'CONTENT_CHANGED', hash, why: 'its list of hashes is damaged' })
    await assertUnchanged(file, fingerprint, hash)
    const count = served.get(hash) ?? { servedBytes: 0 }
    served.set(hash, count)
    return {
      tree: { hash, bytes, chunkBytes, hashes },
      key,
      has: () => true,
      whole: () => true,
      get servedBytes () { return count.servedBytes },
      set servedBytes (sum) { count.servedBytes = sum },
      read: async () => {
        const handle = await open(file, 'r')
        return {
          take: async (target, position) => {
            const isRead = await readFully(handle, target, position)
            // After the reading: what was read before a change is good, and what was read after it is noticed.
            await assertUnchanged(file, fingerprint, hash)
            if (!isRead) throw new A2aError({ code: 'CONTENT_CHANGED', hash, why: 'its file is shorter than it was' })
          },
          close: async () => { await handle.close() }
        }
      }
    }
  }

  async function rows (): Promise<ContentRow[]> {
    const kept = [...entries.values()].map(async ({ hash, name, mediaType, bytes, file, spooled: isSpooled, fingerprint, at }): Promise<ContentRow> => ({
      hash, name, mediaType, bytes, file, at,
      kind: isSpooled ? 'spool' : 'file',
      changed: await assertUnchanged(file, fingerprint, hash).then(() => false, () => true),
      servedBytes: served.get(hash)?.servedBytes ?? 0
    }))
    const passing = [...offered.values()].filter(({ tree }) => !entries.has(tree.hash)).map(({ tree, name, mediaType, file, whole, servedBytes }): ContentRow => ({
      hash: tree.hash, name, mediaType, bytes: tree.bytes, file: file(), at: clock.now(), kind: whole() ? 'received' : 'partial', changed: whole() && !existsSync(file()), servedBytes
    }))
    return [...await Promise.all(kept), ...passing]
  }

  return {
    addFile,
    addStream,
    offer: holding => {
      // What is whole is not given up for what has only begun.
      if (offered.get(holding.tree.hash)?.whole() === true) return
      const oldest = offered.size >= KEEP.entries ? [...offered.values()].find(({ whole }) => whole()) : undefined
      if (oldest !== undefined) offered.delete(oldest.tree.hash)
      offered.set(holding.tree.hash, holding)
    },
    withdraw: holding => { if (offered.get(holding.tree.hash) === holding) offered.delete(holding.tree.hash) },
    holding,
    rows,
    drop: async hash => {
      const isKnown = entries.has(hash) || offered.has(hash)
      forget(hash)
      offered.delete(hash)
      return isKnown
    }
  }
}

/** What the folder says, without what was begun and not ended. */
function load (folder: string, logger: Logger): Map<string, Entry> {
  const entries = new Map<string, Entry>()
  if (!existsSync(folder)) return entries
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    if (name.endsWith('.new')) rmSync(path, { force: true })
    if (!name.endsWith('.json')) continue
    try {
      const entry = Saved.parse(JSON.parse(readFileSync(path, 'utf8')))
      entries.set(entry.hash, entry)
    } catch (error) {
      logger.warn('what is kept of a content cannot be read; it is left alone', { file: path, why: messageOf(error) })
    }
  }
  return entries
}

/** @throws A2aError NO_SPACE when it would leave too little for anything else */
export function assertDiskHas (folder: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(folder)
  const free = bavail * bsize
  if (free - bytes < KEEP.reserveBytes) throw new A2aError({ code: 'NO_SPACE', file: folder, why: `${bytes} bytes are needed, ${free} are free, and ${KEEP.reserveBytes} are left for the node itself` })
}
