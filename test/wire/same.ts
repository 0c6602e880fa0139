import type { Envelope } from '../../src/core/envelope.ts'

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** An envelope for assert.deepEqual, to which a Buffer and a Uint8Array of the same bytes differ. */
export const plain = (envelope: Envelope): unknown => ({
  ...envelope,
  ...(envelope.content && { content: hex(envelope.content) }),
  ...(envelope.auth && { auth: { credential: hex(envelope.auth.credential), statement: hex(envelope.auth.statement) } })
})
