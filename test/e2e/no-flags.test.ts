/** With no flag about the network: nodes of one user on one machine find each other by themselves. */
import { it, describe } from 'node:test'
import assert from 'node:assert/strict'
import { createMesh } from '../support/processes.ts'
import { createNamespace } from '../support/namespace.ts'

describe('without any flag about the network', () => {
  it('a task asked from a fourth home gets two bids and more, and is done', async test => {
    const namespace = createNamespace()
    if ('skipped' in namespace) { test.skip(namespace.skipped); return }
    using _ = namespace
    await using mesh = createMesh()
    const { within } = namespace
    const nodes = await Promise.all(['a', 'b', 'c'].map(name => mesh.start(name, ['--capability', 'text.case.upper', '--exec', 'tr a-z A-Z'], { within, noFlags: true })))
    const { code, events, stderr } = await mesh.a2a(['run', 'text.case.upper', '--input', '"hello"', '--json', '--home', mesh.home('d')], { within })
    assert.equal(code, 0, stderr)
    assert.ok(events.filter(({ event }) => event === 'bid').length >= 2)
    assert.equal(events.at(-1).output, 'HELLO')
    const ends = await Promise.all(nodes.map(node => node.stop()))
    assert.deepEqual(ends.map(({ code }) => code), [0, 0, 0])
  })
})
