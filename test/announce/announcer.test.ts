import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createAnnouncer } from '../../src/announce/announcer.ts'
import { manualClock } from '../identity/support.ts'
import type { Envelope } from '../../src/core/envelope.ts'

const call: Envelope = { version: 1, messageId: 'm', correlationId: 't', from: 'a', timestamp: 0, type: 'task.announce', payload: {} }
const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const known = ['one', 'two'].map(agentId => ({ agentId, peer: 'p', addresses: [] }))

/** What went out, and how: peers by name, and the domain as a topic. */
function stage () {
  const clock = manualClock()
  const sent: string[] = []
  const net = {
    wire: { peerId: 'me', send: async (peer: string) => { sent.push(peer) }, request: async () => call },
    gossip: { join: () => {}, leave: () => {}, topics: () => [], publish: async (topic: string) => { sent.push(topic) } }
  }
  const { announce } = createAnnouncer({ net, clock, logger: SILENT })
  let open = true
  let heard = false
  const gossip = { topic: 'domain', afterMs: 50, othersMs: 100, answered: () => heard, wanted: () => open }
  return { clock, sent, announce, gossip, close: () => { open = false }, answer: () => { heard = true } }
}

it('asks those it knows first, each node once, and the domain when they have not all answered soon', () => {
  const { clock, sent, announce, gossip } = stage()
  announce(call, known, { gossip, unreachable: () => {} })
  clock.advance(49)
  assert.deepEqual(sent, ['p'])
  clock.advance(1)
  assert.deepEqual(sent, ['p', 'domain'])
})

it('gives the others longer once one of them has answered: they are busy, not gone', () => {
  const { clock, sent, announce, gossip, answer } = stage()
  announce(call, known, { gossip, unreachable: () => {} })
  answer()
  clock.advance(99)
  assert.deepEqual(sent, ['p'])
  clock.advance(1)
  assert.deepEqual(sent, ['p', 'domain'])
})

it('leaves the domain alone when all have answered, and when the task is for one agent only', () => {
  const { clock, sent, announce, gossip, close } = stage()
  announce(call, known, { gossip, unreachable: () => {} })
  announce(call, known, { unreachable: () => {} })
  close()
  clock.advance(1_000)
  assert.deepEqual(sent, ['p', 'p'])
})

it('asks the domain at once when it knows nobody', () => {
  const { sent, announce, gossip } = stage()
  announce(call, [], { gossip, unreachable: () => {} })
  assert.deepEqual(sent, ['domain'])
})
