/** Whole trees of delegations, between real ends of negotiation in virtual time: what each hop is held to holds for all of them. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import * as fc from 'fast-check'
import { MAX_DEPTH } from '../../src/core/lineage.ts'
import { setScene } from './scene.ts'
import type { TaskContext } from '../../src/core/agent.ts'
import type { TaskRow } from '../../src/core/ports.ts'
import type { TaskSpec } from '../../src/core/task.ts'
import type { Surroundings } from '../../src/testing/agents.ts'
import type { Host } from '../../src/testing/host.ts'

const TREES = 1_000
/** Nobody is silent here, and nobody's promise of time breaks: what is spent by whom was lost is nobody's to count. */
const LEASE_MS = 30_000
const NAMES = Array.from({ length: 6 }, (_, i) => `agent-${i}`)

/** What the handler of a task does. */
interface Plan {
  children: Plan[]
  /** One after the other; all at once; at once, and the first result is enough; at once, and none may fail. */
  mode: 'serial' | 'all' | 'first' | 'strict'
  /** Agents that fail at it after their children, by the bits of their numbers. */
  failsFor: number
  pauseMs: number
  limits: { maxCostTokens?: number, maxDepth?: number, maxDurationMs?: number }
}

const limits: fc.Arbitrary<Plan['limits']> = fc.record({
  maxCostTokens: fc.option(fc.oneof(fc.double({ min: 0, max: 40, noNaN: true }), fc.constant(1_000)), { nil: undefined, freq: 2 }),
  maxDepth: fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined, freq: 1 }),
  maxDurationMs: fc.option(fc.integer({ min: 1, max: 3_000 }), { nil: undefined, freq: 1 })
})
const node = (children: fc.Arbitrary<Plan[]>): fc.Arbitrary<Plan> => fc.record({
  children, limits,
  mode: fc.constantFrom('serial', 'all', 'first', 'strict'),
  failsFor: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat(0x3f)),
  pauseMs: fc.nat(300)
})
const bushes = fc.letrec<{ tree: Plan }>(tie => ({
  tree: fc.oneof({ depthSize: 'small', withCrossShrink: true }, node(fc.constant([])), node(fc.array(tie('tree'), { minLength: 1, maxLength: 3 })))
})).tree
const runs = fc.record({
  plan: node(fc.array(bushes, { maxLength: 3 })),
  agents: fc.integer({ min: 2, max: NAMES.length }),
  seed: fc.nat(),
  maxCostTokens: fc.option(fc.integer({ min: 0, max: 120 }), { nil: undefined, freq: 4 }),
  maxDepth: fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined, freq: 2 })
})

async function grow (by: string, input: unknown, context: TaskContext, { sleep }: Surroundings, codes: Map<string, number>): Promise<unknown> {
  const { children, mode, failsFor, pauseMs } = input as Plan
  const ask = async (child: Plan): Promise<unknown> => {
    try {
      return await context.delegate('sim.work', child, { leaseMs: LEASE_MS, ...child.limits }).result
    } catch (error) {
      const { code } = error as { code: string }
      codes.set(code, (codes.get(code) ?? 0) + 1)
      throw error
    }
  }
  if (mode === 'serial') for (const child of children) await ask(child).catch(() => {})
  if (mode === 'all') await Promise.allSettled(children.map(ask))
  if (mode === 'first' && children.length > 0) await Promise.any(children.map(ask))
  if (mode === 'strict') await Promise.all(children.map(ask))
  await sleep(pauseMs)
  if ((failsFor >> NAMES.indexOf(by) & 1) === 1) throw new Error(`${by} was told to fail`)
  return { by }
}

interface Asked { row: TaskRow, spec: TaskSpec }

const askedBy = ({ disk }: Host): Asked[] => [...disk.rows.tasks.values()].filter(({ row }) => row.role === 'requester').map(({ row }) => {
  const [opened] = disk.rows.eventsOf.get(`requester ${row.taskId}`) ?? []
  return { row, spec: (JSON.parse(opened?.data as string) as { spec: TaskSpec }).spec }
})

const isMore = (amount: number, limit = Infinity): boolean => amount > limit * (1 + 1e-9) + 1e-9

it(`budget, depth, deadline and way hold in ${TREES} random trees`, { timeout: 170_000 }, async () => {
  const codes = new Map<string, number>()
  const ends = { exact: 0, settled: 0, paid: 0 }
  await fc.assert(fc.asyncProperty(runs, async ({ plan, agents, seed, maxCostTokens, maxDepth }) => {
    const scene = setScene((by, input, context, surroundings) => grow(by, input, context, surroundings, codes), seed)
    const hosts = NAMES.slice(0, agents).map(name => scene.host(name))
    hosts[0]?.delegate('sim.work', plan, { maxCostTokens, maxDepth, maxDurationMs: 20_000, leaseMs: LEASE_MS }, false)
    await scene.pass(30_000)

    const all = hosts.flatMap(askedBy)
    const byId = new Map(all.map(asked => [asked.row.taskId, asked]))
    const paid = all.reduce((sum, { row: { cost = 0 } }) => sum + cost, 0)
    assert.ok(!isMore(paid, maxCostTokens), `the tree cost ${paid}, allowed were ${maxCostTokens}`)
    for (const { row, spec } of all) {
      assert.ok(row.ended, `${row.taskId} has not ended`)
      assert.ok(spec.depth <= Math.min(MAX_DEPTH - 1, maxDepth ?? Infinity), `${row.taskId} is ${spec.depth} deep`)
      assert.equal(new Set(spec.visited).size, spec.visited.length, `a way that crosses itself: ${spec.visited.join(' ')}`)
      if (spec.depth > 0 && row.counterpart !== undefined) assert.ok(!spec.visited.includes(row.counterpart), `${row.taskId} went back to ${row.counterpart}`)
      const parent = byId.get(row.parent ?? '')
      if (parent === undefined) {
        assert.equal(spec.depth, 0)
        continue
      }
      assert.ok(spec.deadlineAt < parent.spec.deadlineAt, 'a deadline is after that of the task it is part of')
      assert.deepEqual([spec.depth, spec.visited.slice(0, -1)], [parent.spec.depth + 1, parent.spec.visited])
      if (parent.spec.traceparent !== undefined) assert.equal(spec.traceparent?.slice(0, 36), parent.spec.traceparent.slice(0, 36))
      assert.ok(spec.depth <= (parent.spec.deepest ?? Infinity))
      assert.ok(!isMore(spec.maxCost ?? 0, parent.spec.maxCost), 'it may cost more than the task it is part of')
    }
    const root = all.find(({ row }) => row.parent === undefined)?.row
    if (root?.stage === 'settled') {
      const { cost = 0, spent = 0 } = root
      // What a delegation came to that did not say so in time, counts with the most that it may have.
      assert.ok(cost + spent > paid - 1e-6, `it came to ${paid}, and its owner was told ${cost} and ${spent}`)
      ends.settled++
      if (cost + spent < paid + 1e-6) ends.exact++
      if (spent > 0) ends.paid++
    }
    assert.equal(scene.seen('stopped').length, scene.seen('began').length, 'a handler is still at work')
  }), { numRuns: TREES })
  for (const code of ['OVER_BUDGET', 'LOOP', 'REFUSED', 'DEADLINE_EXCEEDED', 'CANCELLED', 'ALL_PROVIDERS_FAILED']) assert.ok((codes.get(code) ?? 0) > 0, `nothing ended with ${code}: ${JSON.stringify([...codes])}`)
  assert.ok(ends.exact > 0.97 * ends.settled, JSON.stringify(ends))
  assert.ok(ends.settled > TREES / 4 && ends.paid > TREES / 10, JSON.stringify(ends))
})

it(`${MAX_DEPTH} levels are as deep as it goes`, async () => {
  const codes = new Map<string, number>()
  let plan: Plan = { children: [], mode: 'all', failsFor: 0, pauseMs: 1, limits: {} }
  for (let i = 0; i < MAX_DEPTH + 2; i++) plan = { ...plan, children: [plan] }
  const scene = setScene((by, input, context, surroundings) => grow(by, input, context, surroundings, codes))
  const hosts = Array.from({ length: MAX_DEPTH + 4 }, (_, i) => scene.host(`agent-${i}`))
  hosts[0]?.delegate('sim.work', plan, { maxDurationMs: 20_000, leaseMs: LEASE_MS }, false)
  await scene.pass(20_000)
  assert.deepEqual(hosts.flatMap(askedBy).map(({ spec }) => spec.depth).toSorted((a, b) => a - b), Array.from({ length: MAX_DEPTH }, (_, i) => i))
  assert.deepEqual([...codes], [['REFUSED', 1]])
})
