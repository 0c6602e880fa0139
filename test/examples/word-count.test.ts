import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { describe, test } from 'node:test'
import { execHandler } from '../../src/execute/exec.ts'
import { contextOf } from '../execute/context.ts'

const script = fileURLToPath(new URL('../../examples/exec/word-count.sh', import.meta.url))

describe('word-count.sh', () => {
  test('counts words and lines of any JSON text, and tells its progress', async () => {
    const { context, progress } = contextOf()
    const count = execHandler(`'${script}'`)
    assert.deepEqual(await count({ other: 1, text: 'one "two"\n\\three\tföur C:\\new\n' }, context), { words: 5, lines: 2 })
    assert.deepEqual(progress, [[0.1, 'reading'], [0.6, 'counting']])
    assert.deepEqual(await count({ text: 'a\u0001b\u0007c' }, context), { words: 3, lines: 1 })
  })

  test('says what is missing', async () => {
    await assert.rejects(async () => execHandler(`'${script}'`)({ words: 1 }, contextOf().context), /status 1: the input has no "text"/)
  })
})
