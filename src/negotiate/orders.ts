/** What a requester tells those who bid: their award, and its end. */
import { composeAward, type Sender } from './offers.ts'
import { messageOf, toFailure } from '../core/errors.ts'
import { awardBudgetOf } from '../core/spending.ts'
import { JSON_TYPE, toBase64 } from '../wire/body.ts'
import { compose, payloadOf } from '../wire/compose.ts'
import { signEnvelope } from '../wire/envelope.ts'
import { hashOf } from '../wire/hash.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Logger, Wire } from '../core/ports.ts'
import type { RequesterEvent, RequesterTask } from '../core/requester.ts'
import type { Bid } from '../core/task.ts'

export interface OrdersParts {
  wire: Wire
  logger: Logger
  sender: () => Sender
  /** Has an event stepped and written. */
  happen: (taskId: string, event: RequesterEvent) => void
}

/** Who is told. */
type To = Pick<Bid, 'peer' | 'provider'>

export interface Orders {
  /** Offers the contract with the input, and takes the answer. `onMade` is given its hash before it leaves. */
  award: (task: RequesterTask, bid: Bid, epoch: number, input: Uint8Array | undefined, onMade: (contractHash: string) => void) => Promise<void>
  /** Ends a contract, and takes what its delegations came to. False: nobody said so; an older node does not, nor one that is lost. */
  revoke: (taskId: string, to: To, epoch: number, reason: string) => Promise<boolean>
  /** Ends a contract of which nothing more is to be known. */
  dismiss: (taskId: string, to: To, epoch: number, reason: string) => Promise<void>
  tell: (to: To, envelope: Envelope) => Promise<void>
}

/** How long who lost a contract may take to end the work and what it delegated, in ms. */
const REVOKE_MS = 5_000

export function createOrders ({ wire, logger, sender, happen }: OrdersParts): Orders {
  const now = (): number => sender().now

  const revocation = (taskId: string, { provider }: To, epoch: number, reason: string): Envelope => {
    const { author, signer } = sender()
    return signEnvelope(compose('task.revoke', { reason }, author, { correlationId: taskId, to: provider, epoch }), signer)
  }

  const tell: Orders['tell'] = async ({ peer }, envelope) => {
    await wire.send(peer, envelope).catch(error => { logger.debug('a bidder could not be told', { type: envelope.type, why: messageOf(error) }) })
  }

  return {
    tell,
    award: async (task, bid, epoch, input, onMade) => {
      const { taskId, leaseMs } = task.spec
      const { provider } = bid
      const envelope = composeAward(task.spec, bid, { epoch, maxCost: awardBudgetOf(task, bid) }, sender())
      const statement = envelope.auth?.statement as Uint8Array
      onMade(hashOf(statement))
      try {
        const reply = await wire.request(bid.peer, { ...envelope, content: input, mediaType: JSON_TYPE }, { timeoutMs: leaseMs })
        const isFor = reply.from === provider && reply.epoch === epoch
        if (reply.type === 'task.accept' && isFor && payloadOf(reply, 'task.accept').contract_hash === hashOf(statement)) {
          const acceptance = reply.auth?.statement as Uint8Array
          happen(taskId, { type: 'accepted', at: now(), provider, epoch, award: toBase64(statement), acceptance: toBase64(acceptance) })
        } else if (reply.type === 'task.refuse' && isFor) {
          const { reason, retryable } = payloadOf(reply, 'task.refuse')
          happen(taskId, { type: 'refused', at: now(), provider, epoch, reason, retryable })
        } else {
          happen(taskId, { type: 'refused', at: now(), provider, epoch, reason: `it answered the award with ${reply.type}`, retryable: false })
        }
      } catch (error) {
        const failure = toFailure(error)
        // Silence is for the lease to judge: a late acceptance may still come.
        if (failure.code === 'NO_REPLY') return
        if (failure.code === 'PEER_UNREACHABLE') return happen(taskId, { type: 'gone', at: now(), provider, why: failure.why })
        // Who has no room now, or whose disk refuses, may have another time.
        happen(taskId, { type: 'refused', at: now(), provider, epoch, reason: messageOf(error), retryable: failure.code === 'OVERLOADED' || failure.code === 'LOG_WRITE_FAILED' })
      }
    },
    revoke: async (taskId, to, epoch, reason) => {
      try {
        const reply = await wire.request(to.peer, revocation(taskId, to, epoch, reason), { timeoutMs: REVOKE_MS })
        const { spent } = reply.type === 'ack' ? payloadOf(reply, 'ack') : {}
        if (spent === undefined) return false
        happen(taskId, { type: 'told', at: now(), provider: to.provider, epoch, spent })
        return true
      } catch (error) {
        logger.debug('who lost a contract did not say what it had spent', { taskId, why: messageOf(error) })
        return false
      }
    },
    dismiss: (taskId, to, epoch, reason) => tell(to, revocation(taskId, to, epoch, reason))
  }
}
