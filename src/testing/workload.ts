/** What runs when nobody brings agents of his own: hosts that all ask and all work, and work that is of every kind. */
import type { BuildAgent } from './agents.ts'
import type { Random } from './random.ts'
import type { PlannedTask } from './schedule.ts'
import { wasAwarded, type TaskOutcome } from './outcomes.ts'

export const CAPABILITY = 'sim.work'
const NAMES = ['ada', 'bob', 'cyd', 'dan', 'eve']
/** Agents do as they should at least from now on, in ms before the end. */
const LAST_TASKS_AFTER_MS = 8_000
/** A wrong output is refused by it, and its provider loses the work. */
const RIGHT = { type: 'object', required: ['right'], properties: { right: { const: true } } }

/** @param isCalm whether all is well again */
const worker = (isCalm: () => boolean): BuildAgent => async (agent, { sleep, random }) => {
  const upTo = (most: number): number => 1 + Math.floor(random() * most)
  await agent.provide(CAPABILITY, {
    maxConcurrent: 4,
    bid: () => ({ cost: upTo(12), durationMs: random() < 0.5 ? 50 + upTo(750) : undefined, confidence: 0.5 }),
    // Goes down by a half at most, and now and then not at all.
    onCounter: (_call, { offered, asked: { cost = offered.cost } }) => random() < 0.7 && cost < offered.cost ? { ...offered, cost: Math.max(cost, Math.ceil(offered.cost / 2)) } : undefined,
    run: async (input: unknown, context) => {
      const { taskId, epoch, signal } = context
      const calm = isCalm()
      const mood = calm ? 'well' : ['well', 'well', 'well', 'talks', 'talks', 'asks', 'wrong', 'deaf'][Math.floor(random() * 8)]
      if (mood === 'asks') await context.requireInput('really?')
      for (let parts = upTo(mood === 'talks' ? 5 : 2); parts > 0; parts--) {
        await sleep(5 + upTo(calm ? 145 : 395))
        if (mood === 'talks') {
          context.progress(1 / (parts + 1))
          if (random() < 0.5) await context.artifact('part', { parts })
        }
        if (mood === 'deaf') await sleep(1_500)
        else signal.throwIfAborted()
      }
      return { by: agent.name, taskId, epoch, input, right: mood !== 'wrong' }
    }
  })
}

export function drawAgents (random: Random): string[] {
  return NAMES.slice(0, random.between(3, 5))
}

export const buildAgents = (names: readonly string[], isCalm: () => boolean): Record<string, BuildAgent> =>
  Object.fromEntries(names.map(name => [name, worker(isCalm)]))

/** Some while there are faults, and one of each agent when all is well, which is given all the time it may need. */
export function drawTasks (names: readonly string[], healAtMs: number, random: Random): PlannedTask[] {
  const task = (at: number, by: string, options: PlannedTask['options']): PlannedTask =>
    ({ at, by, capability: CAPABILITY, input: { ask: random.between(0, 1_000) }, options: { ...options, output: RIGHT }, answer: 'yes' })
  const early = Array.from({ length: random.between(3, 7) }, (): PlannedTask => ({
    ...task(random.between(0, Math.floor(healAtMs * 2 / 3)), random.pick(names), {
      maxDurationMs: random.between(800, 20_000), leaseMs: random.between(200, 1_500), bidWindowMs: random.between(30, 300),
      ...(random.chance(0.3) ? { maxCostTokens: random.between(1, 10) } : {}),
      ...(random.chance(0.3) && { sla: { ...(random.chance(0.5) && { progressEveryMs: random.between(200, 1_000) }), latePenalty: random.between(0, 4) / 4 } })
    }),
    ...(random.chance(0.4) ? { haggleFor: random.between(1, 9) / 10 } : {}),
    ...(random.chance(0.1) ? { cancelAfterMs: random.between(50, 3_000) } : {})
  }))
  const last = names.map((name): PlannedTask => ({ ...task(healAtMs + LAST_TASKS_AFTER_MS, name, { maxDurationMs: 15_000, leaseMs: 600, bidWindowMs: 100 }), must: true }))
  return [...early, ...last].sort((a, b) => a.at - b.at)
}

/**
 * What came out is of whoever held the contract, for this task and input, and not the wrong one; and parts came once, in the
 * order that its handler gave them.
 */
export function checkOutputs (tasks: readonly TaskOutcome[]): string[] {
  return tasks.flatMap(({ taskId, input, events, output }) => {
    const parts = events.flatMap(event => event.event === 'artifact' ? [{ epoch: event.epoch, left: (JSON.parse(Buffer.from(event.data).toString()) as { parts: number }).parts }] : [])
    const doubled = parts.find(({ epoch, left }, place) => parts.some((other, before) => before < place && other.epoch === epoch && other.left <= left))
    if (doubled !== undefined) return [`${taskId}: the part with ${doubled.left} left came again, or after a later one`]
    const end = events.at(-1)
    if (end?.event !== 'result') return []
    const said = output as Record<string, unknown>
    const wanted = { by: end.provider.slice('did:key:z'.length), taskId, epoch: wasAwarded(events, end.provider, said.epoch) ? said.epoch : end.epoch, input, right: true }
    return Object.entries(wanted).filter(([key, value]) => JSON.stringify(said[key]) !== JSON.stringify(value))
      .map(([key, value]) => `${taskId}: its output says ${key} ${JSON.stringify(said[key])}, and it is ${JSON.stringify(value)}`)
  })
}
