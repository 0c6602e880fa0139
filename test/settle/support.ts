/** Two agents, a contract between them, and a chain in memory. */
import { signEnvelope } from '../../src/wire/envelope.ts'
import { hashOf } from '../../src/wire/hash.ts'
import { manualClock, signerOf } from '../identity/support.ts'
import type { Envelope } from '../../src/core/envelope.ts'
import type { ReceiptChain, ReceiptEntry, Signer } from '../../src/core/ports.ts'
import type { MessageName, Payload } from '../../src/wire/messages.ts'
import type { Settlement } from '../../src/core/task.ts'
import type { Stamp } from '../../src/settle/receipt.ts'

export const clock = manualClock()
export const requester = signerOf(1, { clock })
export const provider = signerOf(2, { clock })
export const stranger = signerOf(3, { clock })

let ids = 0
export const stamp: Stamp = { newId: () => `id-${++ids}`, now: clock.now }

/** A signed message of a task, in epoch 1 unless told otherwise. */
export function signed<T extends MessageName> (type: T, by: Signer, payload: Payload<T>, rest: Partial<Envelope> = {}): Envelope {
  return signEnvelope({ version: 1, messageId: stamp.newId(), correlationId: 't1', from: by.agentId, timestamp: stamp.now(), type, epoch: 1, payload, ...rest }, by)
}

export const statementOf = (envelope: Envelope): Uint8Array => envelope.auth!.statement

/** With the last bit the other way round. */
export const flipped = (bytes: Uint8Array): Uint8Array => bytes.with(bytes.length - 1, bytes.at(-1)! ^ 1)

export const outcomeOf = (taskId: string, change: Partial<Settlement> = {}): Settlement => ({
  taskId, capability: 'data.revenue.aggregate', epoch: 1, requester: requester.agentId, outcome: 'completed',
  contractHash: hashOf(Buffer.from('contract')), inputHash: hashOf(Buffer.from('input')), outputHash: hashOf(Buffer.from('output')),
  cost: 3, durationMs: 400, endedAt: clock.now(), ...change
})

export interface MemoryChain extends ReceiptChain {
  entries: ReceiptEntry[]
  /** The next so many appends fail, as on a full disk. */
  failNext: (appends: number) => void
}

/** A chain that takes a turn of the event loop for each append, as one on disk does. */
export function memoryChain (): MemoryChain {
  const entries: ReceiptEntry[] = []
  let failures = 0
  const of = (agent: string) => entries.filter(entry => entry.agent === agent)
  const head = (agent: string): Uint8Array => of(agent).at(-1)?.hash ?? new Uint8Array(32)
  return {
    entries,
    failNext: appends => { failures = appends },
    head,
    async append (entry) {
      await new Promise(resolve => setImmediate(resolve))
      if (failures-- > 0) throw new Error('disk full')
      const known = of(entry.agent).find(({ hash }) => Buffer.compare(hash, entry.hash) === 0)
      if (known !== undefined) known.countersignature = entry.countersignature
      else if (Buffer.compare(entry.previous, head(entry.agent)) !== 0) throw new Error('not the head')
      else entries.push(entry)
    },
    list: (agent, { taskId } = {}) => of(agent).filter(entry => taskId === undefined || entry.taskId === taskId)
  }
}
