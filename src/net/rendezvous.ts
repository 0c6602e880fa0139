/**
 * The folder that the nodes of one user on one machine share: each says in `<peer id>.json` where it listens. And
 * `user.key`, by which they prove to each other that they are the same user.
 */
import { existsSync, readFileSync, statSync, watch } from 'node:fs'
import { lstat, mkdir, readdir, rename, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../core/errors.ts'
import type { Clock, Logger } from '../core/ports.ts'
import type { Contacts } from './contacts.ts'
import { CONNECTIONS, RENDEZVOUS } from './limits.ts'
import { socketOf } from './local.ts'
import { userKey } from './user-key.ts'

export interface Rendezvous {
  /** 32 bytes that only this user can read. */
  readonly key: Uint8Array
  /** Says where we are: from now on others find us. */
  appear: (parts: RendezvousParts) => Promise<void>
  /** Meets those who are there, and goes on to watch for newcomers. Resolves when all have been met or have failed. */
  meetOthers: () => Promise<void>
  /** How many nodes there are. */
  count: () => Promise<number>
  /** Where a node of this folder listens. Undefined when it is not there any more: its file is taken away if it died. */
  addressesOf: (peer: string) => Promise<Whereabouts | undefined>
  /** Takes our file away. */
  close: () => Promise<void>
}

export interface RendezvousParts {
  self: string
  addresses: () => string[]
  meet: (peer: string, addresses: string[], timeoutMs: number) => Promise<void>
  known: (peer: string) => boolean
  /** How many peers there are. */
  peers: () => number
}

/** `sinceMs`: how long it has been there. */
export interface Whereabouts { addresses: string[], sinceMs: number }

interface Entry {
  peerId: string
  addresses: string[]
  pid: number
}

const FILE = /^([1-9A-HJ-NP-Za-km-z]{8,128})\.json$/
/** Changes come in bursts. */
const SETTLE_MS = 100

export interface FolderParts {
  clock: Clock
  logger: Logger
  /** Everybody in the folder is added, and taken out again. */
  contacts: Contacts
}

/** Undefined, with a warning, when the folder cannot be trusted or used. */
export async function openRendezvous (folder: string, { clock, logger, contacts }: FolderParts): Promise<Rendezvous | undefined> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const { mode, uid } = await lstat(folder).then(async found => found.isDirectory() ? found : await fail('it is no folder'))
    if (uid !== process.getuid?.()) await fail('it belongs to another user')
    if ((mode & 0o077) !== 0) await fail(`others may use it: chmod 700 ${folder}`)
    return createRendezvous(folder, await userKey(folder), { clock, logger, contacts })
  } catch (error) {
    logger.warn('the folder where nodes of one user meet is not used', { folder, why: messageOf(error) })
    return undefined
  }
}

async function fail (why: string): Promise<never> {
  throw new Error(why)
}

function createRendezvous (folder: string, key: Uint8Array, { clock, logger, contacts }: FolderParts): Rendezvous {
  const present = new Set<string>()
  /** The list that `present` is of: the same one as long as nothing changes. */
  let listed: ReadonlySet<string> | undefined
  const isCrowded = (): boolean => present.size > RENDEZVOUS.all
  let parts: RendezvousParts | undefined
  let closed = false
  let stopWatching = (): void => {}
  let written: Promise<void> | undefined
  let cancelTend = (): void => {}
  let cancelLook: (() => void) | undefined

  async function appear (given: RendezvousParts): Promise<void> {
    parts = given
    written = write(given)
    await written
  }

  async function meetOthers (): Promise<void> {
    if (closed || parts === undefined) return
    stopWatching = watchFolder()
    tendLater()
    await read(parts)
    await meetSome(parts)
  }

  async function write ({ self, addresses }: RendezvousParts): Promise<void> {
    const entry: Entry = { peerId: self, addresses: nearest(addresses()), pid: process.pid }
    const draft = join(folder, `.${self}.${process.pid}`)
    await writeFile(draft, JSON.stringify(entry), { mode: 0o600 })
    await rename(draft, join(folder, `${self}.json`))
  }

  /** Learns of newcomers, and forgets those whose file is gone. */
  async function read ({ self }: RendezvousParts): Promise<string[]> {
    const there = await peersIn(folder, clock, isCrowded() ? RENDEZVOUS.readMs : 0)
    if (there === listed) return []
    for (const peer of present) if (!there.has(peer)) forget(peer)
    const newcomers = [...there].filter(peer => peer !== self && !present.has(peer))
    for (const peer of newcomers) {
      present.add(peer)
      contacts.add(peer, 'folder')
    }
    listed = there
    return newcomers
  }

  function forget (peer: string): void {
    listed = undefined
    present.delete(peer)
    contacts.remove(peer, 'folder')
  }

  async function addressesOf (peer: string): Promise<Whereabouts | undefined> {
    const file = join(folder, `${peer}.json`)
    try {
      // A few hundred bytes, not long written: through libuv's threads it takes five turns, and more of this one as well.
      const there = statSync(file)
      const entry = there.isFile() && there.size <= RENDEZVOUS.fileBytes ? parseEntry(readFileSync(file, 'utf8'), peer) : undefined
      if (entry === undefined) logger.debug('a rendezvous file cannot be read', { file })
      else if (lives(entry.pid)) return { addresses: entry.addresses, sinceMs: Math.max(0, clock.now() - there.mtimeMs) }
      else {
        await unlink(file)
        await unlink(socketOf(folder, peer)).catch(() => {})
      }
    } catch (error) {
      logger.debug('a rendezvous file cannot be read', { file, why: messageOf(error) })
    }
    forget(peer)
    return undefined
  }

  async function meetSome (given: RendezvousParts): Promise<void> {
    const unmet = [...present].filter(peer => !given.known(peer))
    await meetAll(isCrowded() ? sample(unmet, RENDEZVOUS.sample) : unmet, given)
  }

  async function meetAll (some: string[], { meet, known }: RendezvousParts): Promise<void> {
    const waiting = [...some]
    const many = some.length > RENDEZVOUS.few
    const next = async (): Promise<void> => {
      for (let peer = waiting.pop(); peer !== undefined; peer = waiting.pop()) {
        const there = closed || known(peer) ? undefined : await addressesOf(peer)
        if (there === undefined) continue
        await meet(peer, there.addresses, many ? RENDEZVOUS.dialManyMs : RENDEZVOUS.dialMs).catch((error: unknown) => { logger.debug('a node of the same user could not be met', { peer, why: messageOf(error) }) })
      }
    }
    await Promise.all(Array.from({ length: many ? RENDEZVOUS.parallelOfMany : RENDEZVOUS.parallel }, next))
  }

  /** Dials fail when many nodes start at once. Who is left with too few peers tries others. */
  function tendLater (): void {
    cancelTend = clock.after(RENDEZVOUS.pollMs * (1 + Math.random()), () => {
      tend().catch((error: unknown) => { logger.debug('the rendezvous folder cannot be read', { folder, why: messageOf(error) }) }).finally(() => { if (!closed) tendLater() })
    })
  }

  async function tend (): Promise<void> {
    if (parts === undefined || parts.peers() >= RENDEZVOUS.enough || [...present].every(peer => parts?.known(peer))) return
    await read(parts)
    await meetSome(parts)
  }

  function watchFolder (): () => void {
    let cancelPoll = (): void => {}
    const poll = (): void => {
      cancelPoll = clock.after((isCrowded() ? Math.max(RENDEZVOUS.pollLeastMs, Math.min(RENDEZVOUS.pollMostMs, present.size * RENDEZVOUS.pollOfEachMs)) : RENDEZVOUS.pollMs) * (0.5 + Math.random()), () => {
        look()
        poll()
      })
    }
    try {
      const pollInstead = (): void => {
        watcher.close()
        if (!closed) poll()
      }
      // A thousand watchers would be woken by each of a thousand newcomers.
      const watcher = watch(folder, { persistent: false }, () => { if (isCrowded()) pollInstead(); else look() })
      watcher.on('error', pollInstead)
      return () => {
        watcher.close()
        cancelPoll()
      }
    } catch {
      poll()
      return () => { cancelPoll() }
    }
  }

  function look (): void {
    if (closed || cancelLook !== undefined) return
    // Newcomers dial those who are there. This is for the case that they cannot, so it may take its time.
    cancelLook = clock.after(SETTLE_MS + Math.random() * RENDEZVOUS.pollMs, () => {
      cancelLook = undefined
      refresh().catch((error: unknown) => { logger.debug('the rendezvous folder cannot be read', { folder, why: messageOf(error) }) })
    })
  }

  async function refresh (): Promise<void> {
    if (parts === undefined || closed) return
    // Synchronous: 5 µs, and 60 by way of the pool of threads, for each node of a process every few seconds.
    if (!existsSync(join(folder, `${parts.self}.json`))) await (written = write(parts))
    const newcomers = await read(parts)
    if (!isCrowded()) await meetAll(newcomers, parts)
  }

  return {
    key,
    appear,
    meetOthers,
    count: async () => (await peersIn(folder, clock, RENDEZVOUS.readMs)).size,
    addressesOf,
    async close () {
      closed = true
      stopWatching()
      cancelTend()
      cancelLook?.()
      await written?.catch(() => {})
      if (parts !== undefined) await unlink(join(folder, `${parts.self}.json`)).catch(() => {})
    }
  }
}

/** The last list of a folder, for all nodes of a process. `changedAt`: when the folder itself was changed last before. */
interface Listing { at: number, changedAt: number, peers: ReadonlySet<string> }

const lately = new Map<string, { at: number, listing: Promise<Listing> }>()

/** What was read within `ms` is good enough; and what is older, when nothing was changed since. */
function peersIn (folder: string, clock: Clock, ms: number): Promise<ReadonlySet<string>> {
  const known = lately.get(folder)
  // However the clock was set: what is of the future is not good enough either.
  if (known === undefined || Math.abs(clock.now() - known.at) >= ms) {
    const listing = list(folder, clock, known?.listing)
    lately.clear()
    lately.set(folder, { at: clock.now(), listing })
    listing.catch(() => { lately.delete(folder) })
    return listing.then(({ peers }) => peers)
  }
  return known.listing.then(({ peers }) => peers)
}

async function list (folder: string, clock: Clock, before: Promise<Listing> | undefined): Promise<Listing> {
  const known = await before?.catch(() => undefined)
  const at = clock.now()
  const { mtimeMs: changedAt } = statSync(folder)
  if (known?.changedAt === changedAt && known.at > changedAt + RENDEZVOUS.tickMs) return known
  const names = await readdir(folder)
  return { at, changedAt, peers: new Set(names.slice(0, RENDEZVOUS.files).flatMap(name => FILE.exec(name)?.[1] ?? [])) }
}

function parseEntry (text: string, peer: string): Entry | undefined {
  const { peerId, addresses, pid } = JSON.parse(text) as Partial<Entry>
  if (peerId !== peer || !Array.isArray(addresses) || !addresses.every(address => typeof address === 'string') || !Number.isSafeInteger(pid)) return undefined
  return { peerId, addresses: addresses.slice(0, CONNECTIONS.addresses), pid: Number(pid) }
}

/** Loopback addresses when there are any, plain TCP first. */
function nearest (addresses: string[]): string[] {
  const loopback = addresses.filter(address => /^\/(ip4\/127\.|ip6\/::1\/)/.test(address))
  return (loopback.length > 0 ? loopback : addresses).toSorted((a, b) => Number(a.includes('/ws')) - Number(b.includes('/ws')))
}

function lives (pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function sample<T> (items: T[], count: number): T[] {
  const pool = [...items]
  return Array.from({ length: Math.min(count, pool.length) }, () => pool.splice(Math.floor(Math.random() * pool.length), 1)).flat()
}
