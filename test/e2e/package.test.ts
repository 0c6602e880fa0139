/** The package, packed and installed into an empty project, works: the command, the import, and its types. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { it } from 'node:test'
import assert from 'node:assert/strict'

const root = join(import.meta.dirname, '../..')
const PROGRAM = `import { createAgent, A2aError, type Agent } from 'a2a-node'
import { simulate } from 'a2a-node/testing'
const agent: Agent = await createAgent({ home: process.argv[2], listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, rendezvous: process.argv[2] + '/r' })
await agent.provide<{ n: number }, number>('math.number.double', { run: ({ n }) => n * 2 })
const { output, receipt } = await agent.delegate('math.number.double', { n: 21 }).result
console.log(output, receipt.verified, typeof A2aError, typeof simulate)
await agent[Symbol.asyncDispose]()
`

it('the packed package works in an empty project', { timeout: 170_000 }, test => {
  const folder = mkdtempSync(join(tmpdir(), 'a2a-package-'))
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}`, XDG_RUNTIME_DIR: folder }
  const run = (command: string, ...args: string[]): string => execFileSync(command, args, { cwd: folder, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  try {
    const [{ filename }] = JSON.parse(execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], { cwd: root, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
    writeFileSync(join(folder, 'package.json'), '{"type":"module","private":true}')
    try {
      run('npm', 'install', '--no-audit', '--no-fund', `./${filename}`)
    } catch (error) {
      const { stderr = '' } = error as { stderr?: string }
      if (/ENOTFOUND|ECONNREFUSED|EAI_AGAIN|ETIMEDOUT|ENETUNREACH/.test(stderr)) { test.skip('the registry cannot be reached from here'); return }
      throw error
    }
    assert.match(run('npx', 'a2a-node', '--version'), /^\d+\.\d+\.\d+\n$/)
    assert.match(run('npx', 'a2a-node', '--help'), /Usage: a2a-node/)
    writeFileSync(join(folder, 'program.ts'), PROGRAM)
    assert.equal(run(process.execPath, 'program.ts', join(folder, 'home')), '42 true function function\n')
    const types = ['--target', 'es2024', '--module', 'nodenext', '--strict', '--noEmit', '--types', 'node', '--typeRoots', join(root, 'node_modules/@types'), 'program.ts']
    run(process.execPath, join(root, 'node_modules/typescript/bin/tsc'), ...types)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
