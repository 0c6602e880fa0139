/** docs/protocol.md and the code say the same of dialogues. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { DIALOGUE_PROTOCOL } from '../../src/converse/dialogues.ts'
import { KIND } from '../../src/converse/frames.ts'
import { DIALOGUE } from '../../src/converse/limits.ts'

const doc = readFileSync(join(import.meta.dirname, '../../docs/protocol.md'), 'utf8')
const [, section = ''] = /^## Dialogues\n([^]+?)^## /m.exec(doc) ?? []

describe('docs/protocol.md on dialogues', () => {
  it('has the protocol, and every kind of frame', () => {
    assert.ok(doc.includes(`| \`${DIALOGUE_PROTOCOL}\` |`))
    const rows = [...section.matchAll(/^\| (\d) \| (\w+) \|/gm)].map(([, kind, name]) => [name, Number(kind)])
    assert.deepEqual(Object.fromEntries(rows), KIND)
  })

  it('has the limits', () => {
    const seconds = (ms: number): string => `${ms / 1_000} s`
    const words = section.replace(/\s+/g, ' ')
    for (const said of [
      `within ${seconds(DIALOGUE.openingMs)}; it and its answer have at most ${DIALOGUE.openingBytes / 1_024} KiB`,
      `At most ${DIALOGUE.inboundPerPeer} dialogues of one peer`,
      `at most ${(DIALOGUE.frameBytes - 1) / 1_024 ** 2} MiB`,
      `in JSON, at most ${DIALOGUE.failureBytes / 1_024} KiB`,
      `room for ${DIALOGUE.windowBytes / 1_024 ** 2} MiB. A message takes its body, its kind and ${DIALOGUE.messageOverhead} bytes`,
      `does not take within ${seconds(DIALOGUE.lingerMs)} is reset`,
      `not ended itself ${seconds(DIALOGUE.disposeMs + DIALOGUE.lingerMs)} later`
    ]) assert.ok(words.includes(said), said)
  })
})
