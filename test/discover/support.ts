/** Adverts made by hand, true and false, for the tests of what gets into an index. */
import { randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import { clock } from '../net/support.ts'
import { composeAdvert, type AdvertFacts } from '../../src/discover/advert.ts'
import { keyOfSeed } from '../../src/identity/keys.ts'
import { createSigner, type RotatingSigner } from '../../src/identity/signer.ts'
import { encodeEnvelope } from '../../src/wire/envelope.ts'
import { newId } from '../../src/wire/id.ts'
import type { Envelope } from '../../src/core/envelope.ts'
import type { Author } from '../../src/wire/compose.ts'

export interface Someone {
  signer: RotatingSigner
  author: Author
  id: string
  /** A signed advert. */
  says: (facts?: Partial<AdvertFacts>, at?: number) => Envelope
  /** The same as bytes. */
  statement: (facts?: Partial<AdvertFacts>, at?: number) => Uint8Array
}

/** An agent with a key of its own, whose node has this peer id. */
export function someone (t: Pick<TestContext, 'after'>, peerId: string, offers = 'data.x'): Someone {
  const signer = createSigner({ root: keyOfSeed(randomBytes(32)), peerId, clock })
  t.after(() => { signer.close() })
  const author = { agentId: signer.agentId, newId, now: clock.now }
  const says: Someone['says'] = (facts = {}, at = clock.now()) => composeAdvert({
    name: 'someone', capabilities: [{ name: offers, version: 1 }], load: 0, peerId, endpoints: [], protocols: [], sequence: at, ttl: 300, ...facts
  }, { ...author, now: () => at }, signer)
  return { signer, author, id: signer.agentId, says, statement: (facts, at) => encodeEnvelope(says(facts, at)) }
}
