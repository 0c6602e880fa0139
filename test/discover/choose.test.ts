/** Whom a search means, and in which order. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parsePattern, type Capability } from '../../src/core/capability.ts'
import { chooser, isMeant, ranked } from '../../src/discover/choose.ts'
import { compileSchema } from '../../src/execute/schema.ts'
import { createNode, type AgentFilter } from '../../src/index.ts'
import { folder, until } from '../net/support.ts'
import type { Entry } from '../../src/discover/agent-index.ts'

const entry = (agentId: string, more: Partial<Entry> = {}): Entry => ({
  agentId, peerId: 'p', endpoints: [], protocols: ['/a2a-node/channel/1'], capabilities: [{ name: 'data.sum', version: 1 }], load: 0, sequence: 1, ttlMs: 1, bytes: new Uint8Array(), heardAt: 0, source: 'direct', ...more
})
const offering = (agentId: string, ...capabilities: Capability[]): Entry => entry(agentId, { capabilities })
const numbers = { type: 'object', required: ['amounts'], properties: { amounts: { type: 'array', items: { type: 'number' } } } }

const everybody = [
  entry('plain'),
  entry('eu', { region: 'eu-west', load: 0.5 }),
  entry('busy', { load: 0.9 }),
  entry('talker', { protocols: ['/a2a-node/channel/1', '/a2a-node/dialogue/1'] }),
  offering('dear', { name: 'data.sum', version: 1, priceHint: 10 }, { name: 'data.mean', version: 2, priceHint: 1 }),
  offering('strict', { name: 'data.sum', version: 2, input: numbers }),
  offering('broken', { name: 'data.sum', version: 3, input: { type: 'nonsense' } }),
  offering('slow', { name: 'data.sum', version: 4, input: { type: 'string', pattern: '^(a+)+$' } }),
  offering('nothing')
]

async function found (pattern: string, filter: AgentFilter): Promise<string[]> {
  const wanted = parsePattern(pattern)
  const choose = chooser(wanted, filter, compileSchema)
  const chosen = await Promise.all(everybody.map(async one => ({ one, capabilities: await choose(one) })))
  return chosen.filter(({ one, capabilities }) => isMeant(wanted, filter, capabilities, one)).map(({ one, capabilities }) => [one.agentId, ...capabilities.map(({ name, version }) => `${name}@${version}`)].join(' '))
}

describe('a filter', () => {
  for (const [pattern, filter, expected] of [
    ['data.mean', {}, ['dear data.mean@2']],
    ['data.*@2', {}, ['dear data.mean@2', 'strict data.sum@2']],
    ['data.sum', { region: 'eu-west' }, ['eu data.sum@1']],
    ['data.sum@1', { maxLoad: 0.4 }, ['plain data.sum@1', 'talker data.sum@1', 'dear data.sum@1']],
    ['data.*', { maxCost: 1, maxLoad: 0.4, protocol: '/a2a-node/channel/1' }, ['plain data.sum@1', 'talker data.sum@1', 'dear data.mean@2', 'strict data.sum@2', 'broken data.sum@3', 'slow data.sum@4']],
    ['data.*', { protocol: '/a2a-node/dialogue/1' }, ['talker data.sum@1']],
    ['data.sum', { accepts: { amounts: [1, 2] }, maxLoad: 0 }, ['plain data.sum@1', 'talker data.sum@1', 'dear data.sum@1', 'strict data.sum@2']],
    ['data.sum@2', { accepts: { amounts: ['x'] } }, []],
    ['data.sum@4', { accepts: `${'a'.repeat(40)}!` }, ['slow data.sum@4']],
    ['*', { maxLoad: 0 }, ['plain data.sum@1', 'talker data.sum@1', 'dear data.sum@1 data.mean@2', 'strict data.sum@2', 'broken data.sum@3', 'slow data.sum@4', 'nothing']],
    ['*', { maxCost: 0, region: 'nowhere' }, []]
  ] as const) it(`${pattern} with ${JSON.stringify(filter).slice(0, 80)} means ${expected.join(', ') || 'nobody'}`, async () => { assert.deepEqual(await found(pattern, filter), expected) })
})

describe('the order', () => {
  it('is by load, in quarters, then our region', () => {
    const order = ranked([entry('busy', { load: 0.8, region: 'here' }), entry('away', { load: 0.1 }), entry('near', { load: 0.2, region: 'here' }), entry('half', { load: 0.5, region: 'here' })], 'here')
    assert.deepEqual(order.map(({ agentId }) => agentId), ['near', 'away', 'half', 'busy'])
  })

  it('spreads work over equals', () => {
    const equals = Array.from({ length: 10 }, (_, i) => entry(String(i)))
    const first = new Map<string, number>()
    for (let i = 0; i < 2_000; i++) {
      const [one] = ranked(equals, undefined)
      first.set(one?.agentId ?? '', (first.get(one?.agentId ?? '') ?? 0) + 1)
    }
    assert.equal(first.size, 10)
    assert.ok([...first.values()].every(count => count > 120 && count < 280), [...first.values()].join())
  })
})

it('agents of real nodes are found by region and by what they take', async t => {
  const rendezvous = folder()
  const start = async (name: string, region?: string) => {
    const node = await createNode({ name, region, home: folder(), rendezvous, listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false })
    t.after(() => node[Symbol.asyncDispose]())
    return node
  }
  const [asker, west, east] = [await start('asker'), await start('west', 'eu-west'), await start('east', 'eu-east')]
  await west.agents[0]?.provide('data.sum', { input: numbers, run: () => 1 })
  await east.agents[0]?.provide('data.sum', { input: { type: 'string' }, run: () => 1 })
  await until(() => asker.status().agentsKnown === 3, 'everybody')
  const names = async (filter: AgentFilter) => (await asker.find('data.sum', filter)).map(({ name }) => name).sort()
  while ((await names({})).length < 2) await new Promise(setImmediate)
  assert.deepEqual(await names({ region: 'eu-west' }), ['west'])
  assert.deepEqual(await names({ accepts: 'text' }), ['east'])
  assert.deepEqual(await names({ accepts: { amounts: [1] } }), ['west'])
})
