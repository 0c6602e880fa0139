/**
 * Anti-entropy: two nodes make their indexes alike with few bytes. One asks for a digest of each domain, and then, of those
 * that differ and that it wants, for the adverts it does not have: it says which it has by eight bytes of their hash.
 */
import { LIST_ROOM, QUERY_LIMIT } from './limits.ts'
import { inTurns } from './turns.ts'
import { domainsOf } from './interests.ts'
import { within } from '../core/deadline.ts'
import { A2aError, messageOf } from '../core/errors.ts'
import { sha256 } from '../wire/hash.ts'
import { compose, composeReply, payloadOf, type Author } from '../wire/compose.ts'
import type { Entry, Index } from './agent-index.ts'
import type { Intake } from './intake.ts'
import type { FoundAgent } from '../core/found.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Logger, Wire } from '../core/ports.ts'

export interface ReconcileOptions {
  /** Only these. Default: those of interest; everything, when the peer knows few. */
  domains?: ReadonlySet<string>
  addresses?: string[]
  source?: FoundAgent['source']
  signal?: AbortSignal
}

/** What came of it. `theirs`: agents that the peer knows in what was compared; `missed`: those of them that were not known here. */
export interface Compared { theirs: number, missed: number }

export interface Reconciler {
  /** Learns what a peer knows and this node does not. Rejects as `wire.request` does. */
  reconcile: (peer: string, options?: ReconcileOptions) => Promise<Compared>
  answerSurvey: (query: Envelope) => Envelope | undefined
  answerSync: (query: Envelope) => Envelope | undefined
}

export interface ReconcilerParts {
  wire: Wire
  index: Index
  intake: Intake
  interests: () => Set<string>
  anyAuthor: () => Author | undefined
  /** For nodes of an earlier version, which know no digests. */
  askAll: (peer: string, options: ReconcileOptions) => Promise<unknown>
  logger: Logger
}

/** Of a peer that knows no more agents than this, everything is wanted: a small mesh knows itself. */
const SMALL = 512
/** Domains in one digest: the largest, beyond it. And in one question. */
const MAX_DOMAINS = 1_024
const ASKED_DOMAINS = 64
/** A mark is the beginning of an advert's hash, in bytes; so many are said at once. A domain with more is asked for in parts. */
const MARK = 8
const MAX_MARKS = 4_096
const PART = 2_048
const MAX_PARTS = 16
/** Questions in one comparison, each answered with up to 256 adverts: enough for all that an index holds. */
const MAX_ROUNDS = 128
const TIMEOUT_MS = 2_000
/** All of it may take so long, in ms: the rest comes another time, and who always has more holds up nobody. */
const RECONCILE_MS = 20_000

export function createReconciler ({ wire, index, intake, interests, anyAuthor, askAll, logger }: ReconcilerParts): Reconciler {
  async function reconcile (peer: string, options: ReconcileOptions = {}): Promise<Compared> {
    const author = anyAuthor()
    const nothing = { theirs: 0, missed: 0 }
    if (author === undefined) return nothing
    const { addresses } = options
    const signal = within(RECONCILE_MS, options.signal)
    const ask = async (query: Envelope): Promise<Envelope> => await wire.request(peer, query, { timeoutMs: TIMEOUT_MS, addresses, signal })
    const reply = await ask(compose('advert.survey', {}, author, { correlationId: author.newId() })).catch(async (error: unknown) => {
      if (!(error instanceof A2aError) || error.code !== 'MESSAGE_UNKNOWN') throw error
      await askAll(peer, { ...options, signal })
      return undefined
    })
    if (reply?.type !== 'advert.digest') return nothing
    const { agents, domains } = payloadOf(reply, 'advert.digest')
    const wanted = options.domains ?? (agents <= SMALL ? undefined : interests())
    const compared = domains.filter(({ domain }) => wanted === undefined || wanted.has(domain))
    const own = digestsOf(index)
    const differing = compared.filter(({ domain, digest }) => own.get(domain)?.digest !== digest)
    const theirs = compared.reduce((sum, domain) => sum + domain.agents, 0)
    const rounds = { left: MAX_ROUNDS }
    let missed = 0
    for (let i = 0; i < differing.length; i += ASKED_DOMAINS) {
      const some = differing.slice(i, i + ASKED_DOMAINS)
      const most = some.reduce((sum, { domain, agents: count }) => sum + Math.max(count, own.get(domain)?.agents ?? 0), 0)
      const of = Math.min(MAX_PARTS, Math.max(1, Math.ceil(most / PART)))
      for (let part = 0; part < of; part++) missed += await sync(peer, { domains: some.map(({ domain }) => domain), part, of }, author, ask, rounds, { ...options, signal })
    }
    return { theirs, missed }
  }

  /** Asks for one part of some domains until there is no more of it. Resolves to how many agents were not known at all. */
  async function sync (peer: string, { domains, part, of }: Part, author: Author, ask: (query: Envelope) => Promise<Envelope>, rounds: { left: number }, { source = 'peer', signal }: ReconcileOptions): Promise<number> {
    const seen = new Set<string>()
    let missed = 0
    for (; rounds.left > 0; rounds.left--) {
      for (const entry of partOf(index, { domains, part, of })) seen.add(markOf(entry.bytes))
      const have = Buffer.concat([...seen].slice(-MAX_MARKS).map(mark => Buffer.from(mark, 'latin1'))).toString('base64url')
      const reply = await ask(compose('advert.sync', { domains, part, of, have, limit: QUERY_LIMIT }, author, { correlationId: author.newId() }))
      if (reply.type !== 'advert.list') return missed
      const { adverts, more = false } = payloadOf(reply, 'advert.list')
      const before = seen.size
      await inTurns(adverts, text => {
        const statement = Buffer.from(text, 'base64url')
        seen.add(markOf(statement))
        try {
          if (intake.accept(statement, source, peer) === 'new') missed++
        } catch (error) {
          logger.debug('a peer passed on an advert that does not hold', { peer, why: messageOf(error) })
        }
      }, signal)
      if (!more || seen.size === before) return missed
    }
    return missed
  }

  return {
    reconcile,
    answerSurvey (query) {
      const author = anyAuthor()
      if (author === undefined) return undefined
      const domains = [...digestsOf(index)].map(([domain, { agents, digest }]) => ({ domain, agents, digest })).sort((a, b) => b.agents - a.agents).slice(0, MAX_DOMAINS)
      return composeReply(query, 'advert.digest', { agents: index.size(), domains }, author)
    },
    answerSync (query) {
      const author = anyAuthor()
      if (author === undefined) return undefined
      const { domains, part = 0, of = 1, have, limit } = payloadOf(query, 'advert.sync')
      const bytes = Buffer.from(have, 'base64url').toString('latin1')
      const known = new Set(Array.from({ length: Math.floor(bytes.length / MARK) }, (_, i) => bytes.slice(i * MARK, (i + 1) * MARK)))
      const news = partOf(index, { domains, part, of }).filter(entry => !known.has(markOf(entry.bytes)))
      const adverts = fit(news, limit)
      return composeReply(query, 'advert.list', { adverts, more: adverts.length < news.length }, author)
    }
  }
}

interface Part {
  /** Agents that offer nothing are in the domain ''. */
  domains: string[]
  /** Of so many parts, this one. */
  part: number
  of: number
}

/** As many adverts as one message may carry. */
export function fit (entries: Entry[], limit: number): string[] {
  const adverts: string[] = []
  let room = LIST_ROOM
  for (const { bytes } of entries.slice(0, limit)) {
    const text = Buffer.from(bytes).toString('base64url')
    room -= text.length + 3
    if (room < 0) break
    adverts.push(text)
  }
  return adverts
}

/** Entries of some domains, those whose agent falls into one part. */
function partOf (index: Index, { domains, part, of }: Part): Entry[] {
  const wanted = new Set(domains)
  const found = domains.flatMap(domain => index.match({ labels: domain === '' ? [] : [domain], prefix: true }).filter(entry => {
    const [first = ''] = domainsOf(entry.capabilities)
    // An agent of several of them is told of once.
    return domain === '' ? first === '' : [...domainsOf(entry.capabilities)].find(own => wanted.has(own)) === domain
  }))
  return of === 1 ? found : found.filter(({ agentId }) => digest(Buffer.from(agentId)).readUInt32BE(0) % of === part)
}

/** Of each domain how many agents are known, and all their marks in one. */
function digestsOf (index: Index): Map<string, { agents: number, digest: string }> {
  const sums = new Map<string, { agents: number, sum: Buffer }>()
  for (const entry of index.all()) {
    const mark = Buffer.from(markOf(entry.bytes), 'latin1')
    const domains = domainsOf(entry.capabilities)
    for (const domain of domains.size === 0 ? [''] : domains) {
      const { agents, sum } = sums.get(domain) ?? { agents: 0, sum: Buffer.alloc(MARK) }
      for (let i = 0; i < MARK; i++) sum[i] = (sum[i] as number) ^ (mark[i] as number)
      sums.set(domain, { agents: agents + 1, sum })
    }
  }
  return new Map([...sums].map(([domain, { agents, sum }]) => [domain, { agents, digest: sum.toString('base64url') }]))
}

/** Marks of adverts in the index: they are asked for again and again. */
const marks = new WeakMap<Uint8Array, string>()

const digest = (bytes: Uint8Array): Buffer => Buffer.from(sha256(bytes))

/** The beginning of the SHA-256 of a signed advert, as latin1: short to compare. */
function markOf (statement: Uint8Array): string {
  let mark = marks.get(statement)
  if (mark === undefined) marks.set(statement, mark = digest(statement).toString('latin1', 0, MARK))
  return mark
}
