import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readStderr } from '../../src/execute/stderr.ts'

describe('readStderr', () => {
  test('puts lines and characters together that come in pieces', () => {
    const said: unknown[] = []
    const reader = readStderr((...progress) => { said.push(progress) })
    for (const byte of Buffer.from('{"progress":0.5,"note":"grüße"}\nwarning: ü')) reader.write(Uint8Array.of(byte))
    assert.deepEqual(said, [[0.5, 'grüße']])
    assert.equal(reader.tail(), 'warning: ü')
  })

  test('takes no end of a long line for progress', () => {
    const said: unknown[] = []
    const reader = readStderr((...progress) => { said.push(progress) })
    reader.write(Buffer.from('x'.repeat(5_000)))
    reader.write(Buffer.from('{"progress":0.5,"note":""}'.replace('""', `"${'y'.repeat(4_096 - 26)}"`)))
    reader.write(Buffer.from('\n'))
    assert.deepEqual(said, [])
    assert.ok(reader.tail().length <= 4_096)
  })
})
