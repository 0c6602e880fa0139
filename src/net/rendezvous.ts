/**
 * The folder that the nodes of one user on one machine share: each says in `<peer id>.json` where it listens. And
 * `user.key`, by which they prove to each other that they are the same user.
 */
import { watch } from 'node:fs'
import { lstat, mkdir, readdir, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../core/errors.ts'
import type { Clock, Logger } from '../core/ports.ts'
import { CONNECTIONS, RENDEZVOUS } from './limits.ts'
import { userKey } from './user-key.ts'

export interface Rendezvous {
  /** 32 bytes that only this user can read. */
  readonly key: Uint8Array
  /** Says where we are: from now on others find us. */
  appear: (parts: RendezvousParts) => Promise<void>
  /** Meets those who are there, and goes on to watch for newcomers. Resolves when all have been met or have failed. */
  meetOthers: () => Promise<void>
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

interface Entry {
  peerId: string
  addresses: string[]
  pid: number
}

const FILE = /^([1-9A-HJ-NP-Za-km-z]{8,128})\.json$/
/** Changes come in bursts. */
const SETTLE_MS = 100

/** Undefined, with a warning, when the folder cannot be trusted or used. */
export async function openRendezvous (folder: string, { clock, logger }: { clock: Clock, logger: Logger }): Promise<Rendezvous | undefined> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const { mode, uid } = await lstat(folder).then(async found => found.isDirectory() ? found : await fail('it is no folder'))
    if (uid !== process.getuid?.()) await fail('it belongs to another user')
    if ((mode & 0o077) !== 0) await fail(`others may use it: chmod 700 ${folder}`)
    return createRendezvous(folder, await userKey(folder), clock, logger)
  } catch (error) {
    logger.warn('the folder where nodes of one user meet is not used', { folder, why: messageOf(error) })
    return undefined
  }
}

async function fail (why: string): Promise<never> {
  throw new Error(why)
}

function createRendezvous (folder: string, key: Uint8Array, clock: Clock, logger: Logger): Rendezvous {
  const entries = new Map<string, Entry>()
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

  /** Learns of newcomers, and forgets those whose file is gone. Files of the dead are taken away. */
  async function read ({ self }: RendezvousParts): Promise<Entry[]> {
    const names = (await readdir(folder)).filter(name => FILE.test(name)).slice(0, RENDEZVOUS.files)
    const there = new Set(names)
    for (const name of entries.keys()) if (!there.has(name)) entries.delete(name)
    const fresh = names.filter(name => !entries.has(name) && name !== `${self}.json`)
    const found = await Promise.all(fresh.map(readEntry))
    for (const entry of found) if (entry !== undefined) entries.set(`${entry.peerId}.json`, entry)
    return found.filter(entry => entry !== undefined)
  }

  async function readEntry (name: string): Promise<Entry | undefined> {
    const file = join(folder, name)
    try {
      const { size } = await stat(file)
      const entry = size <= RENDEZVOUS.fileBytes ? parseEntry(await readFile(file, 'utf8'), name) : undefined
      if (entry === undefined) logger.debug('a rendezvous file cannot be read', { file })
      else if (lives(entry.pid)) return entry
      else await unlink(file)
    } catch (error) {
      logger.debug('a rendezvous file cannot be read', { file, why: messageOf(error) })
    }
    return undefined
  }

  async function meetSome (given: RendezvousParts): Promise<void> {
    const unmet = [...entries.values()].filter(({ peerId }) => !given.known(peerId))
    await meetAll(entries.size > RENDEZVOUS.all ? sample(unmet, RENDEZVOUS.sample) : unmet, given)
  }

  async function meetAll (some: Entry[], { meet, known }: RendezvousParts): Promise<void> {
    const waiting = [...some]
    const many = some.length > RENDEZVOUS.few
    const next = async (): Promise<void> => {
      for (let entry = waiting.pop(); entry !== undefined; entry = waiting.pop()) {
        const { peerId, addresses } = entry
        if (closed || known(peerId)) continue
        await meet(peerId, addresses, many ? RENDEZVOUS.dialManyMs : RENDEZVOUS.dialMs).catch((error: unknown) => { logger.debug('a node of the same user could not be met', { peer: peerId, why: messageOf(error) }) })
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
    if (parts === undefined || parts.peers() >= RENDEZVOUS.enough || [...entries.values()].every(({ peerId }) => parts?.known(peerId))) return
    // Somebody may have died without taking the file along, or come back with the same key elsewhere.
    entries.clear()
    await read(parts)
    await meetSome(parts)
  }

  function watchFolder (): () => void {
    let cancelPoll = (): void => {}
    const poll = (): void => {
      cancelPoll = clock.after(RENDEZVOUS.pollMs, () => {
        look()
        poll()
      })
    }
    try {
      const watcher = watch(folder, { persistent: false }, look)
      watcher.on('error', () => {
        watcher.close()
        if (!closed) poll()
      })
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
    const there = await stat(join(folder, `${parts.self}.json`)).catch(() => undefined)
    if (there === undefined && !closed) await (written = write(parts))
    const newcomers = await read(parts)
    if (entries.size <= RENDEZVOUS.all) await meetAll(newcomers, parts)
  }

  return {
    key,
    appear,
    meetOthers,
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

function parseEntry (text: string, name: string): Entry | undefined {
  const { peerId, addresses, pid } = JSON.parse(text) as Partial<Entry>
  if (`${peerId}.json` !== name || !Array.isArray(addresses) || !addresses.every(address => typeof address === 'string') || !Number.isSafeInteger(pid)) return undefined
  return { peerId: String(peerId), addresses: addresses.slice(0, CONNECTIONS.addresses), pid: Number(pid) }
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
