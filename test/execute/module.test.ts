import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Agent } from '../../src/core/agent.ts'
import { loadModule } from '../../src/execute/module.ts'

const usage = (why: RegExp) => (error: any) => {
  assert.equal(error.code, 'BAD_USAGE', error.stack)
  assert.match(error.message, why)
  assert.equal(error.message.includes('\n'), false)
  return true
}

describe('loadModule', () => {
  let folder: string
  before(async () => { folder = await mkdtemp(join(tmpdir(), 'a2a module ')) })
  after(() => rm(folder, { recursive: true }))

  const write = async (name: string, source: string): Promise<string> => {
    const file = join(folder, name)
    await writeFile(file, source)
    return file
  }
  const provided = async (file: string): Promise<string[]> => {
    const names: string[] = []
    const agent = { provide: async (name: string) => { names.push(name) } } as unknown as Agent
    await (await loadModule(file))(agent)
    return names
  }

  test('runs the default export with the agent and waits for it', async () => {
    assert.deepEqual(await provided(await write('a.mjs', 'export default async agent => { await null; await agent.provide("a.b", { run () {} }) }')), ['a.b'])
  })

  test('takes TypeScript, and a record of capabilities', async () => {
    const source = 'const run = (n: number): number => n\nexport const capabilities: Record<string, unknown> = { "a.b": { run }, "a.c@2": { run } }'
    assert.deepEqual(await provided(await write('b.ts', source)), ['a.b', 'a.c@2'])
  })

  test('says in one line what is wrong with a file', async () => {
    await assert.rejects(loadModule(join(folder, 'none.ts')), usage(/there is no file .*none\.ts/))
    await assert.rejects(loadModule(folder), usage(/there is no file/))
    await assert.rejects(loadModule(await write('c.mjs', 'export default {')), usage(/cannot load .*c\.mjs: SyntaxError/))
    await assert.rejects(loadModule(await write('d.ts', 'enum A { B }\nexport default () => {}')), usage(/cannot load .*d\.ts/))
    await assert.rejects(loadModule(await write('e.mjs', 'throw new Error("no\\ndatabase")')), usage(/cannot load .*e\.mjs: no$/))
    await assert.rejects(loadModule(await write('f.mjs', 'export const x = 1')), usage(/offers nothing; export default/))
    await assert.rejects(loadModule(await write('g.mjs', 'export const capabilities = { "a.b": {} }')), usage(/a\.b has no function run/))
    await assert.rejects(loadModule(await write('h.mjs', 'import "./missing.mjs"')), usage(/cannot load .*missing/))
    await assert.rejects(loadModule(await write('i.mjs', 'export const capabilities = { "A b": { run () {} } }')), (error: any) => error.code === 'CAPABILITY_INVALID')
  })
})
