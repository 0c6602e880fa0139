/** Asking other nodes for adverts, and answering those who ask. */
import { QUERY_LIMIT } from './limits.ts'
import { fit } from './reconcile.ts'
import { inTurns } from './turns.ts'
import { parsePattern } from '../core/capability.ts'
import { messageOf } from '../core/errors.ts'
import { compose, composeReply, payloadOf, type Author } from '../wire/compose.ts'
import { decodeEnvelope } from '../wire/envelope.ts'
import type { Index } from './agent-index.ts'
import type { Intake } from './intake.ts'
import type { FoundAgent } from '../core/found.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Logger, Wire } from '../core/ports.ts'

export interface AskParts {
  wire: Wire
  index: Index
  intake: Intake
  anyAuthor: () => Author | undefined
  logger: Logger
}

export interface AskOptions {
  pattern?: string
  agentId?: string
  /** Where the peer may be, when it is not connected. */
  addresses?: string[]
  /** How it came that this peer is asked. Default `peer`. */
  source?: FoundAgent['source']
  signal?: AbortSignal
  /** Each agent that the answer is about, news or not. */
  onNamed?: (agentId: string) => void
}

/** What a peer answered: how many adverts, how many of them were news, and how many did not hold. */
export interface Told { told: number, news: number, refused: number }

/** Asks one peer for adverts by pattern or agent, and takes those that hold. */
export const createAsk = ({ wire, intake, anyAuthor, logger }: AskParts) =>
  async (peer: string, { pattern, agentId, addresses, source = 'peer', signal, onNamed }: AskOptions): Promise<Told> => {
    const author = anyAuthor()
    const answer = { told: 0, news: 0, refused: 0 }
    if (author === undefined) return answer
    const query = compose('advert.query', { pattern, agent_id: agentId, limit: agentId === undefined ? QUERY_LIMIT : 1, local: true }, author, { correlationId: author.newId() })
    const reply = await wire.request(peer, query, { timeoutMs: 2_000, addresses, signal, brief: true })
    if (reply.type !== 'advert.list') return answer
    await inTurns(payloadOf(reply, 'advert.list').adverts, text => {
      answer.told++
      try {
        const statement = Buffer.from(text, 'base64url')
        if (intake.accept(statement, source, peer) !== undefined) answer.news++
        onNamed?.(decodeEnvelope(statement).from)
      } catch (error) {
        answer.refused++
        logger.debug('a peer passed on an advert that does not hold', { peer, why: messageOf(error) })
      }
    }, signal)
    return answer
  }

/** Answers an `advert.query`. */
export const createAnswer = ({ index, anyAuthor }: Pick<AskParts, 'index' | 'anyAuthor'>) => (query: Envelope): Envelope | undefined => {
  const { pattern = '*', agent_id: agentId, limit } = payloadOf(query, 'advert.query')
  const author = anyAuthor()
  if (author === undefined) return undefined
  const known = agentId === undefined ? index.match(parsePattern(pattern)) : [index.get(agentId)].filter(entry => entry !== undefined)
  return composeReply(query, 'advert.list', { adverts: fit(known, limit) }, author)
}
