import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { A2aError } from '../../src/core/errors.ts'
import { payloadOf } from '../../src/wire/compose.ts'
import { decodeEnvelope } from '../../src/wire/envelope.ts'
import { setScene, type Scene } from './scene.ts'
import type { DelegateOptions, Provision, TaskContext } from '../../src/core/agent.ts'
import type { TaskEvent } from '../../src/core/task.ts'

const ask = (options: DelegateOptions) => ['sim.work', { ask: 1 }, { maxDurationMs: 20_000, leaseMs: 1_000, bidWindowMs: 200, ...options }, true] as const
const told = <K extends TaskEvent['event']>({ seen }: Scene, kind: K) => seen('told').map(({ event }) => event).filter((event): event is Extract<TaskEvent, { event: K }> => event.event === kind)
/** Bids so much, and works so long, with progress so often. */
const worker = (scene: Scene, name: string, { cost, durationMs, forMs, everyMs = Infinity, output = { by: name } as unknown }: { cost: number, durationMs?: number, forMs: number, everyMs?: number, output?: unknown }, seenBy: TaskContext[] = []) => {
  const provision: Partial<Provision> = {
    bid: () => ({ cost, durationMs, confidence: 0.5 }),
    run: async (_input, context) => {
      seenBy.push(context)
      for (let left = forMs; left > 0; left -= everyMs) {
        await scene.sleep(Math.min(left, everyMs))
        context.progress(0.5)
      }
      return output
    }
  }
  return scene.host(name, provision)
}

describe('a provider that shows no progress', () => {
  it('loses the work to the next one, though it is alive, and who shows it keeps it', async () => {
    const scene = setScene()
    const ada = scene.host('ada')
    const contexts: TaskContext[] = []
    const still = worker(scene, 'still', { cost: 1, forMs: 6_000 }, contexts)
    const busy = worker(scene, 'busy', { cost: 9, forMs: 3_000, everyMs: 200 })
    ada.delegate(...ask({ policy: 'cheapest', sla: { progressEveryMs: 500 } }))
    await scene.pass(10_000)
    const [moved] = told(scene, 'moved')
    assert.deepEqual([moved?.provider, moved?.failure.code, moved?.failure.code === 'SLA_BREACHED' && moved.failure.term], [still.agentId, 'SLA_BREACHED', 'progress'])
    assert.deepEqual(told(scene, 'result').map(({ provider }) => provider), [busy.agentId])
    assert.deepEqual(contexts[0]?.terms, { cost: 1, progressEveryMs: 500 })
    assert.equal(contexts[0]?.signal.aborted, true)
  })

  it('who does not know such terms is passed over, and not asked to hold to them', async () => {
    const scene = setScene()
    const ada = scene.host('ada')
    const old = scene.actor('old', (envelope, self) => {
      if (envelope.type === 'task.announce') self.bid(envelope)
      return envelope.type === 'task.award' ? self.accept(envelope) : undefined
    })
    const bob = worker(scene, 'bob', { cost: 9, forMs: 100 })
    ada.delegate(...ask({ sla: { progressEveryMs: 500 } }))
    await scene.pass(2_000)
    assert.deepEqual(old.heard.map(({ type }) => type), ['task.announce', 'task.decline'])
    assert.deepEqual(told(scene, 'result').map(({ provider }) => provider), [bob.agentId])
  })
})

describe('an output that its owner checks', () => {
  it('is not accepted when something is wrong with it, and the work moves on', async () => {
    const scene = setScene()
    const ada = scene.host('ada')
    const bad = worker(scene, 'bad', { cost: 1, forMs: 10, output: { total: -1 } })
    const good = worker(scene, 'good', { cost: 9, forMs: 10, output: { total: 1 } })
    const checked: unknown[] = []
    ada.delegate(...ask({ policy: 'cheapest', sla: { check: async output => { checked.push(output); return output.total < 0 ? 'the total is below 0' : undefined } } }))
    await scene.pass(3_000)
    const [moved] = told(scene, 'moved')
    assert.equal(moved?.provider, bad.agentId)
    assert.ok(moved?.failure.code === 'OUTPUT_INVALID' && moved.failure.why === 'the total is below 0')
    assert.deepEqual(told(scene, 'result').map(({ provider }) => provider), [good.agentId])
    assert.deepEqual(checked, [{ total: -1 }, { total: 1 }])
    const answers = scene.seen('countersigned').map(({ provider, taken }) => [provider, taken])
    assert.deepEqual(answers, [[bad.agentId, false], [good.agentId, true]])
  })

  it('may take longer to check than the lease is', async () => {
    const scene = setScene()
    const ada = scene.host('ada')
    worker(scene, 'bob', { cost: 1, forMs: 10 })
    ada.delegate(...ask({ sla: { check: async () => { await scene.sleep(5_000); return undefined } } }))
    await scene.pass(7_000)
    assert.deepEqual([told(scene, 'moved').length, told(scene, 'result').length], [0, 1])
  })

  it('is not accepted when its check throws or does not end', async () => {
    for (const [check, why] of [[() => { throw new Error('no idea') }, /no idea/], [() => new Promise<undefined>(() => {}), /8000 ms/]] as const) {
      const scene = setScene()
      const ada = scene.host('ada')
      worker(scene, 'bob', { cost: 1, forMs: 10 })
      ada.delegate(...ask({ sla: { check } }))
      await scene.pass(15_000)
      const [moved] = told(scene, 'moved')
      assert.ok(moved?.failure.code === 'OUTPUT_INVALID')
      assert.match(moved.failure.why, why)
    }
  })
})

describe('a result that is later than was promised', () => {
  it('costs its share less, at both ends and in the receipt', async () => {
    const scene = setScene()
    const [ada, bob] = [scene.host('ada'), worker(scene, 'bob', { cost: 8, durationMs: 300, forMs: 900, everyMs: 100 })]
    ada.delegate(...ask({ sla: { latePenalty: 0.25 } }))
    await scene.pass(5_000)
    const [result] = told(scene, 'result')
    assert.deepEqual([result?.cost, result?.receipt.penalty], [6, 2])
    const rows = [...ada.disk.rows.tasks.values(), ...bob.disk.rows.tasks.values()].map(({ row }) => row.cost)
    assert.deepEqual(rows, [6, 6])
  })

  it('and one that asks for all of it is refused', async () => {
    const scene = setScene()
    const ada = scene.host('ada')
    const greedy = scene.actor('greedy', (envelope, self) => {
      if (envelope.type === 'task.announce') self.bid(envelope, { cost: 8, duration_ms: 300, agrees: true })
      return envelope.type === 'task.award' ? self.accept(envelope) : undefined
    })
    ada.delegate(...ask({ sla: { latePenalty: 0.25 } }))
    await scene.pass(1_000)
    const [award] = greedy.heard.filter(({ type }) => type === 'task.award')
    assert.ok(award !== undefined)
    assert.equal(payloadOf(award, 'task.award').terms.late_penalty, 0.25)
    const reply = greedy.wire.request(ada.peer, greedy.resultOf(award, {}, { cost: 8, durationMs: 301 }))
    await scene.pass(500)
    const { accepted } = payloadOf(decodeEnvelope(Buffer.from(payloadOf(await reply, 'task.settled').countersignature, 'base64url')), 'task.countersign')
    assert.equal(accepted, false)
    const [moved] = told(scene, 'moved')
    assert.ok(moved?.failure.code === 'OUTPUT_INVALID' && /late result/.test(moved.failure.why))
  })
})

it('terms that are none are refused at once', () => {
  const scene = setScene()
  const ada = scene.host('ada')
  for (const sla of [{ progressEveryMs: 0 }, { progressEveryMs: NaN }, { latePenalty: 1.1 }, { latePenalty: -1 }]) {
    assert.throws(() => ada.delegate(...ask({ sla })), (error: unknown) => error instanceof A2aError && error.code === 'BAD_USAGE')
  }
})
