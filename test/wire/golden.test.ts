/** Version 1 as it was released. A vector that no longer reads breaks every node already out there. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { decodeEnvelope, encodeEnvelope } from '../../src/wire/envelope.ts'
import { fromJson, toJson } from '../../src/wire/json.ts'
import { messages, parsePayload, type MessageName } from '../../src/wire/messages.ts'
import { hex as hexOf } from './same.ts'
import { verifyEnvelope, verifyStatement } from '../../src/identity/verify.ts'

interface Vector { type: MessageName, hex: string, json: unknown }

const folder = join(import.meta.dirname, 'golden/v1')
const vectors = readdirSync(folder).map(file => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Vector)

describe('golden vectors of version 1', () => {
  it('are there for every message type', () => {
    assert.deepEqual(vectors.map(({ type }) => type).sort(), Object.keys(messages).sort())
  })

  for (const { type, hex, json } of vectors) {
    it(`${type} reads, is written the same, and is what its JSON form says`, () => {
      const bytes = Buffer.from(hex, 'hex')
      const envelope = decodeEnvelope(bytes)
      assert.equal(envelope.type, type)
      assert.deepEqual(toJson(envelope), json)
      assert.deepEqual(parsePayload(type, envelope.payload), envelope.payload, 'no field of it is unknown')
      assert.equal(hexOf(encodeEnvelope(envelope)), hex)
      assert.equal(hexOf(encodeEnvelope(fromJson(json))), hex)
      assert.equal(envelope.auth !== undefined, messages[type].signed)
    })

    if (messages[type].signed) {
      it(`${type} is signed, and holds as a proof`, () => {
        const envelope = decodeEnvelope(Buffer.from(hex, 'hex'))
        assert.equal(verifyEnvelope(envelope, envelope.timestamp).agentId, envelope.from)
        assert.equal(verifyStatement(envelope.auth!.statement).speaker.agentId, envelope.from)
      })
    }
  }
})
