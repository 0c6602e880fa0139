import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openTask, winnerOf } from '../../src/core/requester.ts'
import { providerMachine } from '../../src/negotiate/provider.ts'
import { requesterMachine } from '../../src/negotiate/requester.ts'
import { replay, simulate, type Plants } from '../../src/testing/index.ts'
import type { EventLog, LogEvent } from '../../src/core/ports.ts'

const SEEDS = 200

it(`every promise holds in ${SEEDS} runs with all faults`, async () => {
  const ends: Record<string, number> = {}
  for (let seed = 1; seed <= SEEDS; seed++) {
    const run = await simulate({ seed })
    assert.deepEqual(run.broken, [], `seed ${seed}; replay it with: node scripts/sim.ts --seed ${seed} --trace`)
    for (const end of Object.keys(run.ends)) ends[end] = (ends[end] ?? 0) + 1
  }
  for (const end of ['result', 'ALL_PROVIDERS_FAILED', 'DEADLINE_EXCEEDED', 'NO_BIDS', 'OVER_BUDGET', 'CANCELLED']) assert.ok((ends[end] ?? 0) > 0, `no task ended with ${end}: the faults do not bite`)
})

it('without faults every task ends with a result', async () => {
  const none = { messages: false, partitions: false, crashes: false, freezes: false, liars: false, skew: false, handlers: false }
  for (let seed = 1; seed <= 10; seed++) {
    const { broken, ends } = await simulate({ seed, faults: none })
    assert.deepEqual(broken, [])
    const { result = 0, OVER_BUDGET: over = 0, DEADLINE_EXCEEDED: late = 0, CANCELLED: cancelled = 0, ...others } = ends
    assert.ok(result >= 3 && over + late + cancelled < result)
    assert.deepEqual(others, {})
  }
})

it('a seed replays to the letter, and another one gives another run', async () => {
  for (const seed of [3, 14, 159]) {
    const [first, second, other] = [await simulate({ seed }), await replay(seed), await simulate({ seed: seed + 1 })]
    assert.deepEqual(second.lines, first.lines)
    assert.equal(second.hash, first.hash)
    assert.notEqual(other.hash, first.hash)
  }
})

/** Parts that break a promise, and what the checker says of it. */
const bugs: Record<string, { plants: Plants, says: RegExp }> = {
  'a requester that looks neither at epochs nor at who speaks': {
    says: /who does not hold it|the holder is/,
    plants: {
      requester: {
        ...requesterMachine,
        step: (task, event) => requesterMachine.step(task, event.type === 'result' ? { ...event, epoch: task.epoch, provider: winnerOf(task)?.provider ?? event.provider } : event)
      }
    }
  },
  'a requester that does not raise the epoch when it awards anew': {
    says: /was awarded to .* and to/,
    plants: {
      requester: {
        ...requesterMachine,
        step: (task, event) => {
          const { task: next, effects } = requesterMachine.step(task, event)
          return { task: { ...next, epoch: Math.min(next.epoch, 1) }, effects: effects.map(effect => effect.type === 'award' ? { ...effect, epoch: 1 } : effect) }
        }
      }
    }
  },
  'a requester that does not see leases expire': {
    says: /it has not ended|too late/,
    plants: {
      requester: {
        ...requesterMachine,
        step: (task, event) => event.type === 'tick' && winnerOf(task) !== undefined && event.at < task.spec.deadlineAt ? { task, effects: [] } : requesterMachine.step(task, event)
      }
    }
  },
  'a requester that takes results after settlement': {
    says: /two results were taken|who does not hold it/,
    plants: {
      requester: {
        ...requesterMachine,
        step: (task, event) => task.stage === 'settled' && event.type === 'result'
          ? { task: { ...task, epoch: event.epoch, provider: event.provider }, effects: [{ type: 'take', provider: event.provider, epoch: event.epoch }] }
          : requesterMachine.step(task, event)
      }
    }
  },
  'a requester that forgets whom it has excluded': {
    says: /again, who had lost it/,
    plants: { requester: { ...requesterMachine, step: (task, event) => requesterMachine.step({ ...task, excluded: [] }, event) } }
  },
  'a requester that has forgotten its tasks after a restart': {
    says: /was awarded to .* and to|epoch 1 follows/,
    plants: { requester: { ...requesterMachine, step: (task, event) => event.type === 'recovered' ? openTask(task.spec) : requesterMachine.step(task, event) } }
  },
  'a provider that runs on every award': {
    says: /twice/,
    plants: {
      provider: {
        ...providerMachine,
        step: (task, event) => {
          const { task: next, effects } = providerMachine.step(task, event)
          const accepted = event.type === 'awarded' && effects.some(({ type }) => type === 'accept') && !effects.some(({ type }) => type === 'run')
          return { task: next, effects: accepted ? [...effects, { type: 'run', contract: event.contract, deadlineAt: event.deadlineAt }] : effects }
        }
      }
    }
  },
  'a log that acknowledges before it has written': {
    says: /before it|before its|is not on disk/,
    plants: { log: hasty }
  }
}

function hasty (log: EventLog): EventLog {
  let position = 0
  return {
    ...log,
    append: async (event, summary): Promise<LogEvent> => {
      void log.append(event, summary)
      return { ...event, position: ++position }
    }
  }
}

describe('planted bugs are found', () => {
  for (const [bug, { plants, says }] of Object.entries(bugs)) {
    it(bug, async () => {
      for (let seed = 1; seed <= 300; seed++) {
        const { broken } = await simulate({ seed, plants })
        if (broken.length === 0) continue
        assert.match(broken.join('\n'), says)
        const { broken: again } = await replay(seed, { plants })
        return assert.deepEqual(again, broken)
      }
      assert.fail('no seed found it')
    })
  }
})
