/** Holds docs/protocol.md and the code together. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { verifyEnvelope } from '../../src/identity/verify.ts'
import { fromJson, toJson } from '../../src/wire/json.ts'
import { messages } from '../../src/wire/messages.ts'
import { MADE_AT, samples } from './samples.ts'

const root = join(import.meta.dirname, '../..')
const doc = readFileSync(join(root, 'docs/protocol.md'), 'utf8')

describe('docs/protocol.md', () => {
  it('has every message, whether it is signed, and its limits', () => {
    const rows = [...doc.matchAll(/^\| `([a-z.-]+)` \| [^|]+ \| (yes|no) \| (\d+) \| (\d+) \|/gm)].map(([, type, signed, payload, content]) =>
      [type, { signed: signed === 'yes', maxPayload: Number(payload) * 1_024, maxContent: Number(content) * 1_024 }])
    const inCode = Object.entries(messages).map(([type, { signed, maxPayload, maxContent }]) => [type, { signed, maxPayload, maxContent }])
    assert.deepEqual(Object.fromEntries(rows), Object.fromEntries(inCode))
  })

  it('has every field of the envelope and of the credential, with its number', () => {
    const proto = readFileSync(join(root, 'src/wire/envelope.proto'), 'utf8')
    const cells = doc.split('\n').filter(line => line.startsWith('| `')).map(line => line.split('|').map(cell => cell.trim()))
    const documented = cells.flatMap(([, names = '', numbers = '']) => {
      const all = numbers.split(', ')
      return names.split(', ').map((name, i) => `${name.replaceAll('`', '')} = ${all[i]}`)
    })
    const fields = [...proto.matchAll(/^ {2}(?:optional |repeated )?\w+ (\w+ = \d+);/gm)].map(([, field = '']) => field)
    // The two of the Credential around its statement are told in a sentence.
    const missing = fields.filter(field => !documented.includes(field) && !['statement = 1', 'signature = 2'].includes(field))
    assert.deepEqual(missing, [])
  })

  it('shows a JSON form that is really produced, and that verifies', () => {
    const example = JSON.parse(/```json\n([^`]+)```/.exec(doc)?.[1] ?? '')
    assert.deepEqual(example, toJson(samples['task.bid']))
    assert.equal(verifyEnvelope(fromJson(example), MADE_AT).agentId, example.from)
  })
})
