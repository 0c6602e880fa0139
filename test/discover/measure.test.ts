/** What discovery says of itself, and that it looks after who was not heard of. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createIndex, type Advert } from '../../src/discover/agent-index.ts'
import { createSelfCheck } from '../../src/discover/check.ts'
import { createMeasure } from '../../src/discover/measure.ts'
import { createNode } from '../../src/index.ts'
import { folder, keepingLogger, until } from '../net/support.ts'

const advert = (agentId: string): Advert => ({ agentId, peerId: `peer-${agentId}`, endpoints: [], protocols: [], capabilities: [{ name: 'data.x', version: 1 }], load: 0, sequence: 1, ttlMs: 300_000, bytes: new Uint8Array(9) })

/** Time that a test moves on. */
function handClock () {
  let now = 0
  let due: Array<{ at: number, run: () => void }> = []
  return {
    now: () => now,
    after: (ms: number, run: () => void) => {
      const one = { at: now + ms, run }
      due.push(one)
      return () => { due = due.filter(other => other !== one) }
    },
    pass (ms: number) {
      now += ms
      const ready = due.filter(({ at }) => at <= now)
      due = due.filter(({ at }) => at > now)
      for (const { run } of ready) run()
    }
  }
}

it('recall is the share of what peers knew, and staleness the age of what is known', () => {
  const clock = handClock()
  const index = createIndex(clock)
  const measure = createMeasure({ index, clock })
  assert.deepEqual(measure.status(), { recall: undefined, compared: 0, recallOfDht: undefined, dhtRecall: undefined, stalenessMs: undefined, dead: 0, restored: 0, warm: { count: 0 }, cold: { count: 0 } })
  measure.compared({ theirs: 90, missed: 0 })
  measure.compared({ theirs: 10, missed: 5 })
  measure.looked({ known: 4, named: 2, missed: 2 })
  index.put(advert('a'), 'gossip')
  clock.pass(1_000)
  index.put(advert('b'), 'gossip')
  clock.pass(500)
  measure.found(0.5, false)
  const { recall, recallOfDht, dhtRecall, stalenessMs, warm } = measure.status()
  assert.deepEqual({ recall, recallOfDht, dhtRecall, stalenessMs }, { recall: 0.95, recallOfDht: 0.5, dhtRecall: 0.5, stalenessMs: { p50: 1_500, p99: 1_500 } })
  assert.deepEqual([warm.count, Math.round((warm.p50Ms ?? 0) * 10)], [1, 5])
})

it('an agent that misses its heartbeats is asked itself, and forgotten when it does not answer', async () => {
  const clock = handClock()
  const index = createIndex(clock)
  const asked: string[] = []
  const check = createSelfCheck({
    peerId: 'me', index, clock, logger: keepingLogger(), hints: { provide: () => {}, retain: () => {}, providers: async function * () {} }, interests: () => new Set(['data']), measure: createMeasure({ index, clock }),
    ask: async peer => {
      asked.push(peer)
      throw new Error('nothing there')
    },
    unreachable: index.drop,
    isSpared: () => false
  })
  index.put(advert('silent'), 'gossip')
  clock.pass(46_000)
  await new Promise(setImmediate)
  assert.deepEqual(asked, [], 'it is not overdue yet')
  index.put({ ...advert('heard'), sequence: 2 }, 'gossip')
  clock.pass(46_000)
  await new Promise(setImmediate)
  assert.deepEqual(asked, ['peer-silent'])
  assert.deepEqual(index.all().map(({ agentId }) => agentId), ['heard'])
  check.close()
})

it('a node tells what it measures', async t => {
  const rendezvous = folder()
  const start = async (name: string) => {
    const node = await createNode({ name, home: folder(), rendezvous, listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false })
    t.after(() => node[Symbol.asyncDispose]())
    return node
  }
  const [asker, worker] = [await start('asker'), await start('worker')]
  await worker.agents[0]?.provide('data.x', { run: () => 1 })
  await until(() => asker.status().agentsKnown === 2, 'each other')
  while ((await asker.find('data.x')).length === 0) await new Promise(setImmediate)
  await asker.find('data.x')
  const { warm, stalenessMs } = asker.status().discovery
  assert.ok(warm.count > 0 && (warm.p50Ms ?? Infinity) < 50)
  assert.ok((stalenessMs?.p99 ?? Infinity) < 30_000)
})
