/** Parts that break a promise, and what the checker says of it. scripts/mutants.ts does the same to a copy of the source. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { winnerOf } from '../../src/core/ending.ts'
import { openTask } from '../../src/core/requester.ts'
import { providerMachine } from '../../src/negotiate/provider.ts'
import { requesterMachine } from '../../src/negotiate/requester.ts'
import { replay, simulate, type PromiseName } from '../../src/testing/index.ts'
import type { Plants } from '../../src/testing/host.ts'
import type { EventLog, LogEvent } from '../../src/core/ports.ts'

const { step } = requesterMachine
const requester = (worse: typeof step): Plants => ({ requester: { ...requesterMachine, step: worse } })

const bugs: Record<string, { plants: Plants, breaks: PromiseName[] }> = {
  'a requester that looks neither at epochs nor at who speaks': {
    breaks: ['one-result', 'fenced', 'own'],
    plants: requester((task, event) => step(task, event.type === 'result' ? { ...event, epoch: task.epoch, provider: winnerOf(task)?.provider ?? event.provider } : event))
  },
  'a requester that does not raise the epoch when it awards anew': {
    breaks: ['one-holder'],
    plants: requester((task, event) => {
      const { task: next, effects } = step(task, event)
      return { task: { ...next, epoch: Math.min(next.epoch, 1) }, effects: effects.map(effect => effect.type === 'award' ? { ...effect, epoch: 1 } : effect) }
    })
  },
  'a requester that does not see leases expire': {
    breaks: ['ends', 'in-time', 'must'],
    plants: requester((task, event) => event.type === 'tick' && winnerOf(task) !== undefined && event.at < task.spec.deadlineAt ? { task, effects: [] } : step(task, event))
  },
  'a requester that forgets its deadline': {
    breaks: ['ends', 'in-time'],
    plants: { requester: { ...requesterMachine, step: (task, event) => event.type === 'tick' ? step({ ...task, spec: { ...task.spec, deadlineAt: task.spec.deadlineAt + 60_000 } }, event) : step(task, event) } }
  },
  'a requester that takes results after settlement': {
    breaks: ['one-result'],
    plants: requester((task, event) => task.stage === 'settled' && event.type === 'result'
      ? { task: { ...task, epoch: event.epoch, provider: event.provider }, effects: [{ type: 'take', provider: event.provider, epoch: event.epoch }] }
      : step(task, event))
  },
  'a requester that forgets whom it has excluded': {
    breaks: ['no-second-chance'],
    plants: requester((task, event) => step({ ...task, excluded: [] }, event))
  },
  'a requester that has forgotten its tasks after a restart': {
    breaks: ['one-holder', 'told-as-logged'],
    plants: requester((task, event) => event.type === 'recovered' ? openTask(task.spec) : step(task, event))
  },
  'a requester that forgets its budget': {
    breaks: ['in-budget'],
    plants: requester((task, event) => step({ ...task, spec: { ...task.spec, maxCost: undefined } }, event))
  },
  'a requester that takes the same part twice': {
    breaks: ['own'],
    plants: requester((task, event) => step(task.stage === 'working' ? { ...task, sequence: -1 } : task, event))
  },
  'a provider that runs on every award': {
    breaks: ['run-once'],
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
  'a provider that does not deliver again': {
    breaks: ['settled'],
    plants: { provider: { ...providerMachine, step: (task, event) => event.type === 'undeliverable' ? { task, effects: [] } : providerMachine.step(task, event) } }
  },
  'a log that acknowledges before it has written': { breaks: ['disk-first', 'kept', 'told-as-logged'], plants: { log: hasty } },
  'a log that loses what it has acknowledged now and then': {
    breaks: ['kept', 'told-as-logged', 'ends', 'disk-first'],
    plants: { log: forgetful }
  },
  'a ledger that signs as accepted whatever is delivered': {
    breaks: ['one-result', 'disk-first'],
    plants: { ledger: ledger => ({ ...ledger, settleAsRequester: async receipt => await ledger.settleAsRequester(receipt, true) }) }
  },
  'a ledger that never keeps a countersignature': {
    breaks: ['settled'],
    plants: { ledger: ledger => ({ ...ledger, attachCountersignature: () => ({ done: new Promise<void>(() => {}) }) }) }
  },
  'tasks that go by the wall clock': { breaks: ['in-time', 'not-early', 'ends'], plants: { clock: wall => wall } }
}

function hasty (log: EventLog): EventLog {
  let position = 0
  return {
    ...log,
    append: async (event, summary): Promise<LogEvent> => {
      log.append(event, summary).catch(() => {})
      return { ...event, position: ++position }
    }
  }
}

function forgetful (log: EventLog): EventLog {
  let writes = 0
  return { ...log, append: async (event, summary, options) => ++writes % 40 === 0 ? { ...event, position: 0 } : await log.append(event, summary, options) }
}

describe('planted bugs are found', () => {
  for (const [bug, { plants, breaks }] of Object.entries(bugs)) {
    it(bug, async test => {
      for (let seed = 1; seed <= 1_000; seed++) {
        const { broken } = await simulate({ seed, plants })
        if (broken.length === 0) continue
        test.diagnostic(`seed ${seed}: ${broken[0]?.promise}: ${broken[0]?.why}`)
        assert.ok(broken.some(({ promise }) => breaks.includes(promise)), JSON.stringify(broken))
        const { broken: again } = await replay(seed, { plants })
        return assert.deepEqual(again, broken)
      }
      assert.fail('no seed found it')
    })
  }
})
