/** What a handler delegates, hop by hop: real ends of negotiation, virtual time. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setScene } from './scene.ts'
import type { TaskContext, DelegateOptions } from '../../src/core/agent.ts'
import type { Host } from '../../src/testing/host.ts'

/** One handler for each level: the first requester's task is done by the first. */
type Handler = (context: TaskContext, ask: (options?: DelegateOptions) => Promise<unknown>) => Promise<unknown>

const until = (signal: AbortSignal): Promise<never> => new Promise((_resolve, reject) => { signal.addEventListener('abort', () => { reject(signal.reason as Error) }, { once: true }) })
const codeOf = (work: Promise<unknown>): Promise<string> => work.then(() => 'done', (error: { code?: string }) => error.code ?? String(error))

function levels (hosts: number, ...handlers: Handler[]) {
  const scene = setScene(async (_by, input, context) => {
    const level = input as number
    return await handlers[level]?.(context, async options => await context.delegate('sim.work', level + 1, { leaseMs: 500, ...options }).result) ?? null
  })
  const all = Array.from({ length: hosts }, (_, i) => scene.host(`host-${i}`))
  return { ...scene, all, ask: (options: DelegateOptions) => { all[0]?.delegate('sim.work', 0, { maxDurationMs: 30_000, leaseMs: 500, ...options }, false) } }
}

const asked = (hosts: Host[]) => hosts.flatMap(({ disk }) => [...disk.rows.tasks.values()].map(({ row }) => row)).filter(({ role }) => role === 'requester')
const children = (hosts: Host[]) => asked(hosts).filter(({ parent }) => parent !== undefined)

it('a delegation for which there is no time, and one when the task is over, fail at once, and nobody hears of them', async () => {
  const codes: string[] = []
  const { all, ask, pass } = levels(3, async ({ remainingMs, signal, delegate, taskId }, again) => {
    await until(signal).catch(() => {})
    codes.push(await codeOf(again()), `${remainingMs() < 50}`)
    const late = delegate('sim.work', 1)
    await late.cancel()
    codes.push(await late.result.catch(({ failure }: { failure: { taskId: string } }) => `${failure.taskId === taskId}`) as string)
  })
  ask({ maxDurationMs: 1_000 })
  await pass(5_000)
  assert.deepEqual(codes, ['DEADLINE_EXCEEDED', 'true', 'true'])
  assert.deepEqual(children(all), [])
})

it('what is left of the budget is there to be seen; those without a limit that begin together share it', async () => {
  const seen: Array<number | undefined> = []
  const { all, ask, pass } = levels(6, async (context, again) => {
    const before = context.budget ?? NaN
    const limited = again({ maxCostTokens: 20 })
    const both = [again(), again()]
    await Promise.resolve()
    seen.push(before, context.budget)
    await Promise.all([limited, ...both])
    seen.push(context.budget)
  }, async () => null)
  ask({ maxCostTokens: 100 })
  await pass(10_000)
  const [root] = asked(all).filter(({ parent }) => parent === undefined)
  const paid = children(all).map(({ cost = 0 }) => cost)
  const [before = NaN, during, after] = seen
  assert.equal(before, 100 - (root?.cost ?? 0))
  assert.equal(during, 0)
  assert.equal(after, before - paid.reduce((sum, cost) => sum + cost))
  assert.equal(root?.spent, paid.reduce((sum, cost) => sum + cost))
  const limits = all.flatMap(({ disk }) => disk.rows.events).filter(({ type, data }) => type === 'opened' && String(data).includes('parentTaskId')).map(({ data }) => (JSON.parse(String(data)) as { spec: { maxCost: number } }).spec.maxCost)
  assert.deepEqual(limits.toSorted((a, b) => a - b), [20, (before - 20) / 2, (before - 20) / 2])
})

it('with nothing left only what is free is done; the rest is over budget, without asking again and again', async () => {
  const codes: string[] = []
  const { ask, pass, all } = levels(4, async (_context, again) => { codes.push(await codeOf(again({ maxCostTokens: 0 }))) }, async () => null)
  ask({ maxCostTokens: 50 })
  await pass(1_000)
  assert.deepEqual(codes, ['OVER_BUDGET'])
  assert.equal(all.flatMap(({ disk }) => disk.rows.events).filter(({ type, taskId }) => type === 'called' && taskId === children(all)[0]?.taskId).length, 1)
})

it('what is delegated ends with the handler that asked for it, though nobody waited', async () => {
  const { ask, pass, seen, all } = levels(3, async (_context, again) => {
    void again().catch(() => {})
    await new Promise(resolve => { setImmediate(resolve) })
    await seen2.promise
  }, async ({ signal }) => {
    seen2.resolve()
    await until(signal)
  })
  const seen2 = Promise.withResolvers<void>()
  ask({})
  await pass(3_000)
  assert.deepEqual(children(all).map(({ failure }) => failure), ['CANCELLED'])
  assert.deepEqual([seen('began').length, seen('stopped').length], [2, 2])
})

it('a cancel reaches the whole tree, also what is still being announced', async () => {
  const wait: Handler = async ({ signal }) => await until(signal)
  const both: Handler = async (_context, again) => await Promise.all([again({ bidWindowMs: 60_000 }), again({ bidWindowMs: 60_000 })])
  const { all, ask, pass, seen } = levels(4, both, both, both, wait)
  ask({ maxDurationMs: 60_000, bidWindowMs: 60_000 })
  // Before any of the times they promised is over.
  await pass(450)
  const open = asked(all).filter(({ ended }) => !ended)
  assert.ok(open.length > 4 && new Set(open.map(({ stage }) => stage)).has('announced'), open.map(({ stage }) => stage).join(' '))
  all[0]?.cancel(asked(all).find(({ parent }) => parent === undefined)?.taskId ?? '')
  await pass(1_000)
  assert.deepEqual(asked(all).filter(({ ended }) => !ended), [])
  assert.equal(seen('stopped').length, seen('began').length)
})

it('after a crash, what lost handlers had delegated is cancelled, and those at work on it stop', async () => {
  const { all, ask, pass, seen } = levels(3, async (_context, again) => await again(), async ({ signal }) => await until(signal))
  ask({ maxDurationMs: 60_000 })
  await pass(1_000)
  const [child] = children(all)
  const middle = all.find(({ agentId }) => agentId === child?.agent) as Host
  const leaf = all.find(({ agentId }) => agentId === child?.counterpart) as Host
  assert.deepEqual(seen('began').map(({ host }) => host), [middle.name, leaf.name])
  middle.crash()
  await pass(1_000)
  middle.boot()
  await pass(1_000)
  assert.equal(children([middle])[0]?.failure, 'CANCELLED')
  assert.ok(seen('stopped').some(({ host }) => host === leaf.name))
})
