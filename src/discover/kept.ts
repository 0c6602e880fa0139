/**
 * The index as a file in the node's home, so that a restart is warm: JSON lines, of which the first names the format and the
 * last has the hash of all before it. What is read was written by this node, and is believed no more than what a stranger
 * says: the adverts in it are checked again.
 */
import { createHash } from 'node:crypto'
import { readFileSync, renameSync, statSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import * as z from 'zod/mini'
import { A2aError, messageOf } from '../core/errors.ts'
import type { Change, Entry, Heard, Index } from './agent-index.ts'
import type { Clock, Logger } from '../core/ports.ts'

/** An advert as it is kept. */
export interface KeptAdvert extends Heard {
  /** Its capabilities with their versions, so that a search need not open all: `data.sum@1`. */
  offers: string[]
  statement: Uint8Array
  /** The peer that passed it on, if it was not the agent's own. */
  teller?: string
}

export interface Kept {
  adverts: KeptAdvert[]
  sequences: Heard[]
}

/** The most that is written, in bytes, the newest first; and read: a larger file is none of ours. */
const MAX_BYTES = 32 * 1_024 * 1_024
/** A sequence number is kept for as long as a credential may hold that signed an older advert, by default. */
const SEQUENCES_MS = 24 * 3_600_000
/** Who came and who left is written after this, in ms, */
const WRITE_MS = 2_000
/** that those known were heard again, after this, */
const RENEW_MS = 30_000
/** and putting the file together takes at most this share of the time. */
const SHARE = 0.01

const Row = z.object({
  agentId: z.string(),
  sequence: z.int(),
  at: z.number(),
  offers: z.optional(z.array(z.string())),
  teller: z.optional(z.string()),
  advert: z.optional(z.string())
})

const HEAD = JSON.stringify({ format: 'a2a-node/index', version: 1 })

export interface Keeper {
  /** What an earlier run wrote; nothing when there is none, or when it is damaged: then it is set aside. */
  read: () => Kept
  /** Begins to write changes. */
  begin: () => void
  /** Writes the last state. */
  close: () => Promise<void>
}

export function createKeeper ({ file, index, clock, logger }: { file: string, index: Index, clock: Clock, logger: Logger }): Keeper {
  let writing: Promise<void> = Promise.resolve()
  let begun = false
  let scheduled = (): void => {}
  let dueAt = Infinity
  let pauseMs = WRITE_MS
  let written = new Set<string>()
  let stop = (): void => {}

  async function write (): Promise<void> {
    const startedAt = performance.now()
    const text = textOf(index, clock.now())
    written = new Set(index.all().map(({ agentId }) => agentId))
    pauseMs = Math.max(WRITE_MS, (performance.now() - startedAt) / SHARE)
    try {
      await replace(file, text)
    } catch (error) {
      logger.warn('what is known of other agents could not be written; the next start is not warm', { file, why: messageOf(error) })
    }
  }

  function changed (agentId: string, change: Change): void {
    const at = clock.now() + Math.max(pauseMs, change === 'news' && written.has(agentId) ? RENEW_MS : WRITE_MS)
    if (dueAt <= at) return
    scheduled()
    dueAt = at
    scheduled = clock.after(at - clock.now(), () => {
      dueAt = Infinity
      writing = writing.then(write)
    })
  }

  return {
    read () {
      try {
        return readKept(file)
      } catch (error) {
        const aside = `${file}.damaged`
        try {
          renameSync(file, aside)
        } catch {}
        logger.warn('what was known of other agents is damaged and was set aside; they are looked for anew', { file: aside, why: messageOf(error) })
        return { adverts: [], sequences: [] }
      }
    },
    begin: () => {
      begun = true
      stop = index.onChange(changed)
    },
    async close () {
      stop()
      scheduled()
      await writing
      // What is not yet read in whole must not be overwritten by a part of it.
      if (begun) await write()
    }
  }
}

/** What stands in a file; nothing when there is none. Throws when it is damaged, or of another format. */
function readKept (file: string): Kept {
  const size = statSync(file, { throwIfNoEntry: false })?.size
  if (size === undefined) return { adverts: [], sequences: [] }
  if (size > MAX_BYTES) throw damaged(`it has ${size} bytes, more than ${MAX_BYTES}`)
  const text = readFileSync(file, 'utf8')
  const end = text.lastIndexOf('\n', text.length - 2) + 1
  const { sha256 } = Object(readLine(text.slice(end))) as { sha256?: unknown }
  const body = text.slice(0, end)
  if (sha256 !== digestOf(body)) throw damaged('its last line does not fit what is before it')
  const [head, ...lines] = body.trimEnd().split('\n')
  if (head !== HEAD) throw damaged(`it begins with ${JSON.stringify(head?.slice(0, 80))}`)
  const kept: Kept = { adverts: [], sequences: [] }
  for (const line of lines) {
    const { agentId, sequence, at, offers, teller, advert } = Row.parse(readLine(line))
    const heard = { agentId, sequence, at }
    if (advert === undefined) kept.sequences.push(heard)
    else kept.adverts.push({ ...heard, offers: offers ?? [], teller, statement: Buffer.from(advert, 'base64url') })
  }
  return kept
}

function textOf (index: Index, now: number): string {
  const lines: string[] = []
  let room = MAX_BYTES - 1_000
  const add = (row: object): boolean => {
    const line = JSON.stringify(row)
    room -= Buffer.byteLength(line) + 1
    if (room >= 0) lines.push(line)
    return room >= 0
  }
  const recent = [...index.sequences()].filter(({ at }) => now - at < SEQUENCES_MS).toReversed()
  for (const heard of recent) {
    const entry = index.get(heard.agentId)
    if (!add(entry === undefined || entry.source === 'local' ? heard : rowOf(entry, heard))) break
  }
  const body = `${[HEAD, ...lines.toReversed()].join('\n')}\n`
  return `${body}${JSON.stringify({ sha256: digestOf(body) })}\n`
}

const rowOf = ({ capabilities, bytes, teller }: Entry, heard: Heard): object => ({
  ...heard,
  offers: capabilities.map(({ name, version }) => `${name}@${version}`),
  teller,
  advert: Buffer.from(bytes).toString('base64url')
})

/** All or nothing: also after a power failure the old or the new one stands there. */
async function replace (file: string, text: string): Promise<void> {
  const next = `${file}.next`
  const handle = await open(next, 'w', 0o600)
  try {
    await handle.writeFile(text)
    await handle.datasync()
  } finally {
    await handle.close()
  }
  await rename(next, file)
}

function readLine (line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    throw damaged('a line of it is no JSON')
  }
}

const digestOf = (text: string): string => createHash('sha256').update(text).digest('base64url')
const damaged = (why: string): A2aError => new A2aError({ code: 'MESSAGE_MALFORMED', why })
