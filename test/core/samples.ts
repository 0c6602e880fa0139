/** A task as the tests of the state machines ask for it, and short ways to say what happens to it. */
import { openTask, stepRequester, type RequesterEvent, type RequesterTask, type Step } from '../../src/core/requester.ts'
import type { Bid, TaskSpec } from '../../src/core/task.ts'

export const specOf = (changes: Partial<TaskSpec> = {}): TaskSpec => ({
  taskId: 'task', requester: 'did:key:zme', capability: 'data.sum', createdAt: 0, deadlineAt: 10_000, leaseMs: 1_000, bidWindowMs: 500, maxRounds: 3,
  depth: 0, visited: ['did:key:zme'], inputHash: 'hash', ...changes
})

export const bidOf = (provider: string, changes: Partial<Bid> = {}): Bid => ({
  id: `bid-${provider}-${changes.round ?? 1}`, provider, peer: `peer-${provider}`, round: 1, cost: 1, confidence: 0.5, load: 0, expiresAt: 60_000, ...changes
})

export const receipt = { hash: 'hash', provider: 'p', requester: 'did:key:zme', inputHash: 'hash', verified: true }

export const called = (asked: string[], at = 0, round = 1): RequesterEvent => ({ type: 'called', at, round, asked })
export const bidding = (provider: string, changes: Partial<Bid> = {}, at = 10): RequesterEvent => ({ type: 'bid', at, bid: bidOf(provider, changes) })
export const passed = (provider: string, code?: string, at = 10, round = 1): RequesterEvent => ({ type: 'passed', at, provider, round, reason: 'busy', code })
export const tick = (at: number): RequesterEvent => ({ type: 'tick', at })
export const chosen = (providers: string[], at = 20, changes: Partial<Bid> = {}): RequesterEvent =>
  ({ type: 'chosen', at, round: changes.round ?? 1, order: providers.map(provider => ({ bid: bidOf(provider, changes), score: 1, reason: 'best' })) })
export const accepted = (provider: string, epoch = 1, at = 30): RequesterEvent => ({ type: 'accepted', at, provider, epoch, award: '', acceptance: '' })
export const heard = (provider: string, epoch = 1, at = 40): RequesterEvent => ({ type: 'heard', at, provider, epoch })
export const progress = (provider: string, epoch = 1, sequence = 1, at = 40): RequesterEvent => ({ type: 'progress', at, provider, epoch, sequence })
export const result = (provider: string, epoch = 1, at = 50): RequesterEvent => ({ type: 'result', at, provider, epoch, output: { by: provider }, cost: 1, durationMs: 1, receipt })
export const broke = (provider: string, epoch = 1, retryable = true, at = 50): RequesterEvent =>
  ({ type: 'broke', at, provider, epoch, retryable, failure: { code: 'HANDLER_FAILED', capability: 'data.sum', why: 'no', retryable } })
export const refused = (provider: string, epoch = 1, retryable = false, at = 30): RequesterEvent => ({ type: 'refused', at, provider, epoch, reason: 'no', retryable })

/** Everything that happens, from the start; effects of all steps. */
export function fold (events: RequesterEvent[], changes: Partial<TaskSpec> = {}): Step {
  return follow(openTask(specOf(changes)), events)
}

export function follow (start: Step, events: RequesterEvent[]): Step {
  return events.reduce(({ task, effects }, event) => {
    const step = stepRequester(task, event)
    return { task: step.task, effects: [...effects, ...step.effects] }
  }, start)
}

/** What a step did, a word each: `award p2 e3`, `publish moved`. */
export const saying = (effects: Step['effects']): string[] => effects.map(effect => {
  switch (effect.type) {
    case 'award':
    case 'revoke': return `${effect.type} ${effect.bid.provider} e${effect.epoch}`
    case 'standby':
    case 'decline': return `${effect.type} ${effect.bid.provider}`
    case 'counter': return `counter ${effect.turn}: ${effect.bids.map(({ provider }) => provider).join()}`
    case 'ask': return `ask ${effect.bid.provider} for ${effect.ask.cost}`
    case 'announce':
    case 'choose': return `${effect.type} ${effect.round}`
    case 'take':
    case 'fence': return `${effect.type} ${effect.provider} e${effect.epoch}`
    case 'publish': return `publish ${effect.event.event}`
  }
})

/** At work for a provider, with others standing by. */
export const working = (winner: string, ...standby: string[]): RequesterTask =>
  fold([called([winner, ...standby]), ...[winner, ...standby].map(provider => bidding(provider)), chosen([winner, ...standby]), accepted(winner)]).task
