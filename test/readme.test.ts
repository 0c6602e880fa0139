/** The README's program does what the README says. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import assert from 'node:assert/strict'
import { createNamespace } from './support/namespace.ts'

const root = join(import.meta.dirname, '..')

it("README's program prints what its comments say", test => {
  const namespace = createNamespace()
  if ('skipped' in namespace) { test.skip(namespace.skipped); return }
  using _ = namespace
  const [, program = ''] = /```ts\n(.*?)```/s.exec(readFileSync(join(root, 'README.md'), 'utf8')) ?? []
  // Inside the checkout, so that it finds the package by its own name.
  const folder = mkdtempSync(join(root, 'readme-test-'))
  try {
    writeFileSync(join(folder, 'program.ts'), program)
    const [command = '', ...args] = [...namespace.within, process.execPath, join(folder, 'program.ts')]
    const printed = execFileSync(command, args, { encoding: 'utf8', timeout: 30_000, env: { PATH: process.env.PATH, HOME: folder, XDG_RUNTIME_DIR: folder } })
    const lines = printed.trim().split('\n')
    assert.deepEqual(lines.slice(0, 4), ['announced', 'bid', 'awarded', 'accepted'])
    assert.deepEqual(lines.slice(-2), ['result', '{ total: 42 } true'])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
