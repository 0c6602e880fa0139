/** The version before beside the present one, as real processes of one mesh: what each of them does with the other. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { unpackPrevious } from '../support/previous.ts'
import { createMesh, LOOPBACK, type Mesh, type RunOptions, type StartedNode } from '../support/processes.ts'

const CONVERSANT = ['--module', join(import.meta.dirname, '../support/conversant.ts')]
/** Wanted of a find, from the start of the command to its end. */
const FIND_MS = 2_000

describe('two present nodes and one of the version before', { timeout: 120_000 }, () => {
  let mesh: Mesh
  let older: RunOptions
  let nodes: StartedNode[]
  let old: StartedNode
  /** Each as asker, each time with another one that it asks: present and previous, both ways. */
  let pairs: Array<{ asker: StartedNode, other: StartedNode, options: RunOptions }>

  before(async () => {
    mesh = createMesh()
    older = { bin: unpackPrevious(mesh.folder) }
    nodes = await Promise.all([mesh.start('first', CONVERSANT), mesh.start('second', CONVERSANT), mesh.start('old', CONVERSANT, older)])
    const [first, , third] = nodes as [StartedNode, StartedNode, StartedNode]
    old = third
    pairs = [{ asker: first, other: old, options: {} }, { asker: old, other: first, options: older }]
  })
  after(() => mesh[Symbol.asyncDispose]())

  const found = async (home: string, pattern: string, options?: RunOptions): Promise<string[]> => {
    const { code, events, stderr, ms } = await mesh.a2a(['find', pattern, '--json', '--home', home], options)
    assert.ok(code === 0 || code === 3, stderr)
    // Who finds nobody has looked for as long as it was to.
    assert.ok(code === 3 || ms < FIND_MS, `${pattern} took ${ms} ms`)
    return events.flatMap(({ name }) => name ?? []).sort()
  }
  const optionsOf = (node: StartedNode): RunOptions => node === old ? older : {}

  it('it is the version before that takes part', async () => {
    const help = async (options: RunOptions): Promise<string> => (await mesh.a2a(['find', '--help'], options)).stdout
    assert.match(await help({}), /--watch/)
    assert.doesNotMatch(await help(older), /--watch/)
  })

  it('find each other', async () => {
    for (const node of nodes) {
      for (const other of nodes) assert.deepEqual(await found(node.home, `talk.${other.name}`, optionsOf(node)), [other.name])
      assert.deepEqual(await found(node.home, 'talk.*', optionsOf(node)), ['first', 'old', 'second'])
    }
  })

  it('work for each other, and keep the receipt, each signature of which holds on both sides', async () => {
    for (const { asker, other, options } of pairs) {
      const asked = await mesh.a2a(['run', `talk.${other.name}`, '--input', JSON.stringify({ with: asker.agentId }), '--json', '--home', asker.home], options)
      assert.equal(asked.code, 0, asked.stderr)
      const { provider, output, receipt, task_id: taskId } = asked.events.at(-1)
      assert.equal(provider, other.agentId)
      // The handler asked and talked with the asker: requests and dialogues, from each version to the other.
      assert.deepEqual(output, { doubled: 42, squares: [4, 9, 16] })
      assert.equal(receipt.verified, true)
      for (const node of [asker, other]) {
        const { code, events: [contract] } = await mesh.a2a(['contract', 'show', taskId, '--json', '--home', node.home], optionsOf(node))
        assert.equal(code, 0)
        assert.ok(contract.award_holds && contract.acceptance_holds && contract.receipt.verified, JSON.stringify(contract))
      }
    }
  })

  it('both bid for one task, whichever asks, also from a home that knows nobody', async () => {
    const offers = ['--capability', 'text.case.upper', '--exec', 'tr a-z A-Z']
    const workers = await Promise.all([mesh.start('worker', offers), mesh.start('old-worker', offers, older)])
    for (const [name, options] of [['asker', {}], ['old-asker', older]] as const) {
      const { code, events, stderr } = await mesh.a2a(['run', 'text.case.upper', '--input', '"hi"', '--json', '--home', mesh.home(name), ...LOOPBACK], options)
      assert.equal(code, 0, stderr)
      assert.equal(events.at(-1).output, 'HI')
      const bidders = new Set(events.filter(({ event }) => event === 'bid').map(({ provider }) => provider))
      assert.deepEqual(bidders, new Set(workers.map(({ agentId }) => agentId)))
    }
    await Promise.all(workers.map(worker => worker.stop()))
    for (const { asker, options } of pairs) assert.deepEqual(await found(asker.home, 'text.case.upper', options), [], 'the farewell was heard')
  })

  it('hand each other content', async () => {
    for (const { asker, other } of pairs) {
      const file = join(mesh.folder, `of-${asker.name}`)
      const copy = `${file}.copy`
      writeFileSync(file, randomBytes(3_000_000))
      const sent = await mesh.a2a(['content', 'send', file, '--home', asker.home], optionsOf(asker))
      assert.equal(sent.code, 0, sent.stderr)
      const got = await mesh.a2a(['content', 'get', '-', '--out', copy, '--home', other.home], { ...optionsOf(other), input: sent.stdout })
      assert.equal(got.code, 0, got.stderr)
      assert.equal(Buffer.compare(readFileSync(file), readFileSync(copy)), 0)
    }
  })

  it('who joins late, as another user and by a node of the other version, sees everybody', async () => {
    for (const { asker, other } of pairs) {
      const env = { XDG_RUNTIME_DIR: join(mesh.folder, `run-late-${asker.name}`) }
      const late = await mesh.start(`late-${asker.name}`, ['--bootstrap', other.addresses[0] ?? ''], { ...optionsOf(asker), env })
      assert.deepEqual((await found(late.home, 'talk.*', optionsOf(asker))).filter(name => !name.startsWith('late')), ['first', 'old', 'second'])
      await late.stop()
    }
  })

  it('hear it when one says farewell', async () => {
    const [first, second] = nodes as [StartedNode, StartedNode]
    await second.stop()
    assert.deepEqual(await found(old.home, 'talk.*', older), ['first', 'old'])
    await old.stop()
    assert.deepEqual(await found(first.home, 'talk.*'), ['first'])
  })
})
