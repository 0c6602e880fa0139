/** Adverts to and from their envelopes. */
import type { Advert } from './agent-index.ts'
import { parseCapability } from '../core/capability.ts'
import { A2aError } from '../core/errors.ts'
import { compose, payloadOf, type Author } from '../wire/compose.ts'
import { encodeEnvelope, signEnvelope } from '../wire/envelope.ts'
import type { Capability } from '../core/capability.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Signer } from '../core/ports.ts'

/** A record holds this long unless it is renewed, in seconds. */
export const ADVERT_TTL_S = 300
/** It is renewed this often, in ms. */
export const HEARTBEAT_MS = 30_000

export interface AdvertFacts {
  name: string
  capabilities: Capability[]
  load: number
  region?: string
  peerId: string
  endpoints: string[]
  protocols: string[]
  sequence: number
  /** 0 withdraws it. */
  ttl: number
}

/** The signed envelope that tells everybody. */
export function composeAdvert (facts: AdvertFacts, author: Author, signer: Signer): Envelope {
  const { name, load, region, sequence, ttl, protocols } = facts
  return signEnvelope(compose('advert', {
    agent_id: author.agentId, name, sequence, load, region, ttl, protocols,
    peer_id: facts.peerId,
    endpoints: facts.endpoints.slice(0, 16),
    capabilities: facts.capabilities.map(({ mediaTypes, priceHint, ...rest }) => ({ ...rest, media_types: mediaTypes, price_hint: priceHint }))
  }, author, { correlationId: author.newId() }), signer)
}

/**
 * The advert in an envelope whose payload and signature were checked.
 * @throws A2aError SIGNATURE_INVALID when it speaks for somebody else, CAPABILITY_INVALID
 */
export function parseAdvert (envelope: Envelope, speakerPeer: string): Advert {
  const advert = payloadOf(envelope, 'advert')
  if (advert.agent_id !== envelope.from) throw new A2aError({ code: 'SIGNATURE_INVALID', why: 'an advert speaks for another agent' })
  if (advert.peer_id !== speakerPeer) throw new A2aError({ code: 'SIGNATURE_INVALID', why: 'an advert names a peer that its credential does not' })
  // A name of 256 dots would be 256 prefixes in every index.
  for (const { name } of advert.capabilities) if (parseCapability(name).version !== undefined) throw new A2aError({ code: 'CAPABILITY_INVALID', name, why: 'its version stands beside it' })
  return {
    agentId: advert.agent_id,
    name: advert.name,
    peerId: advert.peer_id,
    endpoints: advert.endpoints,
    protocols: advert.protocols,
    capabilities: advert.capabilities.map(({ media_types: mediaTypes, price_hint: priceHint, ...rest }) => ({ ...rest, mediaTypes, priceHint })),
    load: advert.load,
    region: advert.region,
    sequence: advert.sequence,
    ttlMs: Math.min(advert.ttl, ADVERT_TTL_S) * 1_000,
    bytes: encodeEnvelope(envelope)
  }
}
