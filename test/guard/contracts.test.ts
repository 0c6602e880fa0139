/** Providers that do not answer are left alone for a while; those that answer with a failure are not. */
import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import type { Failure } from '../../src/core/errors.ts'
import type { TaskEvent } from '../../src/core/task.ts'
import { createBreakers, type Breakers } from '../../src/guard/breakers.ts'
import { watchContracts, type Contracts } from '../../src/guard/contracts.ts'

const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const PROVIDER = 'did:key:zBob'

describe('the breaker of a provider', () => {
  let now: number
  let tasks: number
  let breakers: Breakers
  let contracts: Contracts

  beforeEach(() => {
    now = 1_000_000
    tasks = 0
    const clock = { now: () => now }
    breakers = createBreakers({ clock, logger: SILENT })
    contracts = watchContracts(breakers, clock)
  })

  const settled = (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })
  const tell = (taskId: string, event: object): void => { contracts.observe({ taskId, at: now, provider: PROVIDER, epoch: 1, ...event } as TaskEvent) }
  /** A contract from its award to its end. */
  const contract = async (ms: number, ...events: object[]): Promise<void> => {
    const taskId = `task-${++tasks}`
    assert.equal(contracts.begin(taskId, PROVIDER), undefined)
    now += ms
    for (const event of events) tell(taskId, event)
    await settled()
  }
  const moved = (failure: Partial<Failure>): object => ({ event: 'moved', failure })
  const isOpen = (): boolean => breakers.refusal('peer', PROVIDER) !== undefined
  const times = async (count: number, act: () => Promise<void>): Promise<void> => { for (let i = 0; i < count; i++) await act() }

  for (const code of ['LEASE_EXPIRED', 'PEER_UNREACHABLE'] as const) {
    it(`opens after five times ${code}, and nothing is awarded then`, async () => {
      await times(5, () => contract(10, { event: 'accepted' }, moved({ code })))
      assert.ok(isOpen())
      assert.equal(contracts.begin('another', PROVIDER)?.code, 'CIRCUIT_OPEN')
      assert.equal(contracts.begin('another', 'did:key:zEve'), undefined)
    })
  }

  for (const code of ['HANDLER_FAILED', 'OUTPUT_INVALID', 'SLA_BREACHED', 'REFUSED'] as const) {
    it(`stays closed whatever it answers: ${code}`, async () => {
      await times(9, () => contract(10, moved({ code })))
      assert.deepEqual(breakers.rows(), [])
    })
  }

  it('opens when awards are not even accepted before the task is over', async () => {
    await times(5, () => contract(1_000, { event: 'failed', failure: { code: 'DEADLINE_EXCEEDED' } }))
    assert.ok(isOpen())
  })

  it('stays closed when the time was too short, when it was at work, or when its owner changed its mind', async () => {
    await times(9, () => contract(999, { event: 'failed', failure: { code: 'DEADLINE_EXCEEDED' } }))
    await times(9, () => contract(9_000, { event: 'progress' }, { event: 'failed', failure: { code: 'DEADLINE_EXCEEDED' } }))
    await times(9, () => contract(9_000, { event: 'failed', failure: { code: 'CANCELLED' } }))
    assert.deepEqual(breakers.rows(), [])
  })

  it('closes with the first result after its pause', async () => {
    await times(5, () => contract(10, moved({ code: 'LEASE_EXPIRED' })))
    now += 1_000
    await contract(10, { event: 'accepted' }, { event: 'result' })
    assert.deepEqual(breakers.rows(), [])
  })

  it('tries it with one task at a time', async () => {
    await times(5, () => contract(10, moved({ code: 'LEASE_EXPIRED' })))
    now += 1_000
    assert.equal(contracts.begin('first', PROVIDER), undefined)
    assert.equal(contracts.begin('second', PROVIDER)?.code, 'CIRCUIT_OPEN')
    assert.equal(contracts.begin('first', PROVIDER), undefined, 'the same award again')
    tell('first', { event: 'result' })
    await settled()
    assert.equal(contracts.begin('second', PROVIDER), undefined)
  })
})
