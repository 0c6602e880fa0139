/** The intake of results: each is taken only from the holder of its contract, and what is taken is countersigned. */
import { checkQuality } from './quality.ts'
import { judgeResult, type SignedReceipt } from './verdict.ts'
import { A2aError } from '../core/errors.ts'
import { winnerOf } from '../core/ending.ts'
import type { RequesterEffect, RequesterEvent, RequesterTask } from '../core/requester.ts'
import { awardBudgetOf } from '../core/spending.ts'
import { composeReply, payloadOf, type Author } from '../wire/compose.ts'
import type { Book } from './book.ts'
import type { SlaOptions } from '../core/agent.ts'
import type { JsonSchema } from '../core/capability.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Clock } from '../core/ports.ts'

/** What is known of a task under way, beside its state. */
export interface Awaiting {
  /** What its owner asked of the output. */
  output?: JsonSchema
  /** The owner's own check of it. */
  check?: SlaOptions['check']
  /** Hash of the newest award, which its receipt must name. */
  contractHash?: string
  /** The countersignature under way: the result is told when it is kept. */
  settling?: Promise<unknown>
}

export interface ResultsParts {
  author: Author
  clock: Clock
  book: Book<RequesterTask, RequesterEvent, RequesterEffect>
  /** A task as it stands, also one that has ended. */
  recall: (taskId: string) => RequesterTask | undefined
  awaiting: (taskId: string) => Awaiting | undefined
  /** What is wrong with an output, by the schema that the requester asked for. */
  checkOutput: (schema: JsonSchema, output: unknown) => Promise<string | undefined>
  /** Checks the provider's signature on its receipt. Throws when it does not hold. */
  openReceipt: (statement: Uint8Array) => SignedReceipt
  /** Countersigns, and keeps both. The same receipt gives the same answer. */
  settle: (receipt: SignedReceipt, accepted: boolean) => Promise<Envelope>
  /** Throws when what followed from a message is that it is fenced off. */
  refuseFenced: (taskId: string, epoch: number, effects: RequesterEffect[]) => void
  /** Renews the lease of who holds the contract. */
  heard: (taskId: string, holder: Holder) => void
}

interface Holder { provider: string, epoch: number }

/** Gives what takes a `task.result`, and answers it. */
export function createResults ({ author, clock, book, recall, awaiting, checkOutput, openReceipt, settle, refuseFenced, heard }: ResultsParts): (envelope: Envelope) => Promise<Envelope> {
  /** What is wrong with an output: by the schema that was asked for, and by the check of the task's owner. */
  async function unfit (task: RequesterTask, { output: schema, check }: Awaiting, output: unknown, holder: Holder): Promise<string | undefined> {
    const why = schema === undefined ? undefined : await checkOutput(schema, output)
    if (why !== undefined || check === undefined || winnerOf(task)?.provider !== holder.provider || task.epoch !== holder.epoch) return why
    const { taskId, leaseMs } = task.spec
    return await checkQuality(check, output, { clock, leaseMs, renew: () => { heard(taskId, holder) } })
  }

  return async envelope => {
    const { correlationId: taskId, from: provider, epoch = 0 } = envelope
    const task = recall(taskId)
    if (task === undefined) throw new A2aError({ code: 'TASK_UNKNOWN', taskId })
    const entry = awaiting(taskId)
    const holder = winnerOf(task)?.provider === provider ? winnerOf(task) : undefined
    const receipt = openReceipt(Buffer.from(payloadOf(envelope, 'task.result').receipt, 'base64url'))
    const { event, accepted } = await judgeResult(envelope, receipt, {
      spec: task.spec,
      contractHash: task.epoch === epoch ? entry?.contractHash : undefined,
      terms: holder === undefined ? undefined : { cost: holder.cost, durationMs: holder.durationMs, latePenalty: task.spec.sla?.latePenalty },
      budget: awardBudgetOf(task, winnerOf(task)),
      check: async output => await unfit(task, entry ?? {}, output, { provider, epoch }),
      at: clock.now()
    })
    // From here to `settle` without a pause: what is taken is also countersigned.
    const current = winnerOf(book.get(taskId) ?? task)?.provider === provider && book.get(taskId)?.epoch === epoch
    const { effects, done } = book.apply(taskId, event)
    const taken = effects.some(({ type }) => type === 'take') || (current && event.type === 'broke')
    const countersigned = taken ? settle(receipt, accepted) : undefined
    if (entry !== undefined) entry.settling = countersigned
    // It may fail while we still wait for the disk; who awaits it below is told.
    countersigned?.catch(() => {})
    await done
    if (countersigned === undefined) {
      refuseFenced(taskId, epoch, effects)
      throw new A2aError({ code: 'STALE_EPOCH', taskId, epoch, current: book.get(taskId)?.epoch ?? 0 })
    }
    const { auth } = await countersigned
    return composeReply(envelope, 'task.settled', { countersignature: Buffer.from(auth?.statement ?? []).toString('base64url') }, author)
  }
}
