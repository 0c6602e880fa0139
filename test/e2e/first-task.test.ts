/** One task from end to end, between real processes. */
import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { createMesh, LOOPBACK, type Mesh, type StartedNode } from '../support/processes.ts'

const UPPER = 'tr a-z A-Z'

describe('a task', () => {
  let mesh: Mesh
  let nodes: StartedNode[]

  before(async () => {
    mesh = createMesh()
    nodes = await Promise.all(['a', 'b', 'c'].map(name => mesh.start(name, ['--capability', 'text.case.upper', '--exec', UPPER])))
  })
  after(() => mesh[Symbol.asyncDispose]())

  it('is found, bid for, awarded, done and settled, asked from a fourth home', async () => {
    const { code, events, stderr } = await mesh.a2a(['run', 'text.case.upper', '--input', '{"say":"hello"}', '--json', '--home', mesh.home('asker'), ...LOOPBACK])
    assert.equal(code, 0, stderr)
    const kinds = events.map(({ event }) => event)
    assert.ok(kinds.includes('announced'))
    assert.ok(kinds.filter(kind => kind === 'bid').length >= 2, `two or more bids in ${kinds.join()}`)
    const awarded = events.find(({ event }) => event === 'awarded')
    assert.equal(awarded.epoch, 1)
    assert.match(awarded.reason, /cost 0/)
    assert.ok(awarded.standby.length >= 1)
    const last = events.at(-1)
    assert.equal(last.event, 'result')
    assert.deepEqual(last.output, { SAY: 'HELLO' })
    assert.equal(last.receipt.verified, true)
    assert.ok(nodes.some(({ agentId }) => agentId === last.provider))
  })

  it('is given to all who offer it, and to as many as it takes', async () => {
    const run = (policy: string): ReturnType<Mesh['a2a']> => mesh.a2a(['run', 'text.case.upper', '--input', '"hello"', '--fan-out', policy, '--home', mesh.home('asker of many'), ...LOOPBACK])
    assert.equal((await run('all')).stdout, '["HELLO","HELLO","HELLO"]\n')
    assert.equal((await run('first')).stdout, '["HELLO"]\n')
    const { code, stderr } = await run('quorum:4')
    assert.equal(code, 1)
    assert.match(stderr, /0 of 3 agents and 4 were needed/)
  })

  it('leaves a contract and a receipt on both sides, and every signature in them holds', async () => {
    const asked = await mesh.a2a(['run', 'text.case.upper', '--input', '"x"', '--json', '--home', mesh.home('asker2'), ...LOOPBACK])
    const { task_id: taskId, provider } = asked.events.at(-1)
    const winner = nodes.find(({ agentId }) => agentId === provider)
    assert.ok(winner)
    for (const home of [mesh.home('asker2'), winner.home]) {
      const { events: [contract], code } = await mesh.a2a(['contract', 'show', taskId, '--json', '--home', home])
      assert.equal(code, 0)
      assert.equal(contract.award_holds, true)
      assert.equal(contract.acceptance_holds, true)
      assert.equal(contract.receipt.verified, true)
    }
  })

  it('is listed and shown from the log, also when no node runs', async () => {
    const { events: rows, code } = await mesh.a2a(['task', 'ls', '--json', '--home', mesh.home('asker')])
    assert.equal(code, 0)
    assert.equal(rows[0].stage, 'settled')
    const { events: [shown] } = await mesh.a2a(['task', 'show', rows[0].task_id, '--json', '--home', mesh.home('asker')])
    assert.deepEqual(shown.history.map(({ type }: { type: string }) => type).slice(0, 2), ['opened', 'called'])
  })

  it('prints the result alone', async () => {
    const { stdout, code } = await mesh.a2a(['run', 'text.case.upper', '--input', '-', '--home', mesh.home('asker'), ...LOOPBACK], { input: '["a"]' })
    assert.equal(code, 0)
    assert.equal(stdout, '["A"]\n')
  })
})

describe('two nodes alone', () => {
  it('do a task at once', async () => {
    await using mesh = createMesh()
    await mesh.start('only', ['--capability', 'text.case.upper', '--exec', UPPER])
    for (let i = 0; i < 3; i++) {
      const { code, events, stderr } = await mesh.a2a(['run', 'text.case.upper', '--input', '"hi"', '--json', '--home', mesh.home(`asker-${i}`), ...LOOPBACK])
      assert.equal(code, 0, stderr)
      assert.equal(events.at(-1).output, 'HI')
    }
  })

  it('do one for the node that offers it itself', async () => {
    await using mesh = createMesh()
    const { home } = await mesh.start('self', ['--capability', 'text.case.upper', '--exec', UPPER])
    const { code, stdout, stderr } = await mesh.a2a(['run', 'text.case.upper', '--input', '"me"', '--home', home])
    assert.equal(code, 0, stderr)
    assert.equal(stdout, '"ME"\n')
  })
})
