/** One realistic envelope of every message type, made from fixed keys and times: always the same bytes. */
import { sign, type KeyObject } from 'node:crypto'
import { base58btc } from 'multiformats/bases/base58'
import { issueCredential } from '../../src/identity/credential.ts'
import { keyOfSeed, rawPublicKey, toDid } from '../../src/identity/keys.ts'
import { signEnvelope } from '../../src/wire/envelope.ts'
import { hashOf, sha256 } from '../../src/wire/hash.ts'
import { messages, type MessageName, type Payload } from '../../src/wire/messages.ts'
import type { Envelope } from '../../src/core/envelope.ts'
import type { Signer } from '../../src/core/ports.ts'

export const MADE_AT = Date.UTC(2026, 0, 2, 3, 4, 5, 678)
const TASK = '01KDY8W7CEA2AN0DEEXAMP1E00'
const CAPABILITY = 'data.revenue.aggregate'

const fixedKey = (seed: number): KeyObject => keyOfSeed(new Uint8Array(32).fill(seed))
/** libp2p's peer id of an Ed25519 key: base58 of an identity multihash over the protobuf of the public key. */
const peerIdOf = (key: KeyObject): string => base58btc.encode(Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20, ...rawPublicKey(key))).slice(1)

const requesterNode = fixedKey(5)
const providerNode = fixedKey(6)
const REQUESTER_PEER = peerIdOf(requesterNode)
const PROVIDER_PEER = peerIdOf(providerNode)

/** A signer whose operational key is fixed too. */
function fixedSigner (root: KeyObject, signingKey: KeyObject, peerId: string): Signer {
  const notBefore = Date.UTC(2026, 0, 2)
  const credential = issueCredential({ root, peerId, signingKey, notBefore, expires: notBefore + 24 * 3_600_000 })
  return { agentId: toDid(root), credential: () => credential, sign: bytes => sign(null, bytes, signingKey) }
}

export const requester = fixedSigner(fixedKey(1), fixedKey(2), REQUESTER_PEER)
export const provider = fixedSigner(fixedKey(3), fixedKey(4), PROVIDER_PEER)

let counter = 0

function make<T extends MessageName> (type: T, by: Signer, payload: Payload<T>, rest: Partial<Envelope> = {}): Envelope {
  const envelope: Envelope = {
    version: 1,
    messageId: `01KDY8W7CEA2AN0DEMESSAGE${String(++counter).padStart(2, '0')}`,
    correlationId: TASK,
    from: by.agentId,
    timestamp: MADE_AT + counter,
    type,
    payload,
    ...rest
  }
  return messages[type].signed ? signEnvelope(envelope, by) : envelope
}

const json = (value: unknown): { mediaType: string, content: Uint8Array } => ({ mediaType: 'application/json', content: Buffer.from(JSON.stringify(value)) })
const toRequester = { to: requester.agentId }
const toProvider = { to: provider.agentId }
/** What nodes say for themselves comes from the did:key of their own key. */
const fromRequesterNode = { correlationId: '01KDY8W7CEA2AN0DECHANNE100', from: toDid(requesterNode) }
const fromProviderNode = { ...fromRequesterNode, from: toDid(providerNode) }
const statementOf = (envelope: Envelope): Uint8Array => envelope.auth?.statement ?? new Uint8Array()
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')

const input = json({ region: 'EMEA', quarter: 'Q4' })
const output = json({ total: 12_345.67, currency: 'EUR' })
const previous = base64(new Uint8Array(32))

const hello = make('hello', requester, { credentials: [base64(requester.credential())], user_proof: hashOf(Buffer.from('proof')), software: 'a2a-node/0.1.0' }, fromRequesterNode)
const ping = make('ping', requester, {}, fromRequesterNode)
const advert = make('advert', provider, {
  agent_id: provider.agentId,
  name: 'revenue-analyst',
  sequence: 7,
  capabilities: [{ name: CAPABILITY, version: 1, description: 'Sums revenue', input: { type: 'object' }, output: { type: 'object' }, media_types: ['application/json'], price_hint: 3, public: true }],
  protocols: ['/a2a-node/channel/1'],
  peer_id: PROVIDER_PEER,
  endpoints: [`/ip4/192.0.2.7/tcp/4001/p2p/${PROVIDER_PEER}`],
  load: 0.25,
  region: 'eu-west',
  ttl: 300
}, { correlationId: '01KDY8W7CEA2AN0DEADVERT000', sequence: 7 })
const announce = make('task.announce', requester, {
  capability: `${CAPABILITY}@1`, round: 1, closes_in_ms: 500, max_cost: 10_000, max_duration_ms: 5_000, input_bytes: input.content.length,
  peer_id: REQUESTER_PEER, endpoints: [`/ip4/192.0.2.1/tcp/4001/p2p/${REQUESTER_PEER}`], exclude: []
}, { task: CAPABILITY, remainingMs: 5_000, remainingCost: 10_000, hopsLeft: 4, depth: 0, visited: [requester.agentId], traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' })
const bid = make('task.bid', provider, { round: 1, cost: 3, duration_ms: 400, confidence: 0.9, load: 0.25, valid_ms: 5_000 }, { ...toRequester, causationId: announce.messageId, task: CAPABILITY })
const award = make('task.award', requester, {
  capability: `${CAPABILITY}@1`, bid_id: bid.messageId, terms: { cost: 3, duration_ms: 400, sla_ms: 2_000, lease_ms: 5_000, fallback: 'next-bidder' },
  input_hash: hashOf(input.content), requester_peer: REQUESTER_PEER, endpoints: []
}, { ...toProvider, ...input, causationId: bid.messageId, task: CAPABILITY, epoch: 1, remainingMs: 4_321, remainingCost: 9_997.5, depth: 0, visited: [requester.agentId], idempotencyKey: `${TASK}/1` })
const contract = { epoch: 1, causationId: award.messageId }
const receipt = make('task.receipt', provider, {
  task_id: TASK, capability: CAPABILITY, epoch: 1, requester: requester.agentId, provider: provider.agentId, outcome: 'completed',
  contract_hash: hashOf(statementOf(award)), input_hash: hashOf(input.content), output_hash: hashOf(output.content),
  cost: 3, duration_ms: 380, ended_at: MADE_AT + 400, previous
}, { ...toRequester, epoch: 1 })
const result = make('task.result', provider, { outcome: 'completed', output_hash: hashOf(output.content), receipt: base64(statementOf(receipt)) }, { ...toRequester, ...contract, ...output, sequence: 3 })
const countersign = make('task.countersign', requester, { receipt_hash: hashOf(statementOf(receipt)), accepted: true, previous }, { ...toProvider, causationId: receipt.messageId, epoch: 1 })

/** By type: leaving one out is a type error. */
export const samples: { [T in MessageName]: Envelope } = {
  hello,
  error: make('error', provider, { failure: { code: 'STALE_EPOCH', taskId: TASK, epoch: 1, current: 2 } }, { ...fromProviderNode, causationId: hello.messageId }),
  ack: make('ack', provider, {}, { ...fromProviderNode, causationId: ping.messageId }),
  ping,
  advert,
  'advert.query': make('advert.query', requester, { pattern: 'data.revenue.*', limit: 64 }, fromRequesterNode),
  'advert.list': make('advert.list', provider, { adverts: [base64(statementOf(advert))] }, fromProviderNode),
  'task.announce': announce,
  'task.bid': bid,
  'task.pass': make('task.pass', provider, { round: 1, reason: 'all 16 places are taken' }, { ...toRequester, causationId: announce.messageId }),
  'task.standby': make('task.standby', requester, { rank: 2 }, toProvider),
  'task.decline': make('task.decline', requester, { reason: 'score 0.71 (best 0.93), place 3 of 3' }, toProvider),
  'task.award': award,
  'task.accept': make('task.accept', provider, { contract_hash: hashOf(statementOf(award)) }, { ...toRequester, ...contract }),
  'task.refuse': make('task.refuse', provider, { reason: 'shutting down', retryable: true }, { ...toRequester, ...contract }),
  'task.heartbeat': make('task.heartbeat', provider, {}, { ...toRequester, epoch: 1, sequence: 1 }),
  'task.progress': make('task.progress', provider, { fraction: 0.4, note: 'reading' }, { ...toRequester, epoch: 1, sequence: 1 }),
  'task.artifact': make('task.artifact', provider, { name: 'chart.svg', append: false, last: true }, { ...toRequester, epoch: 1, sequence: 2, mediaType: 'image/svg+xml', content: Buffer.from('<svg/>') }),
  'task.input-required': make('task.input-required', provider, { prompt: 'Which year?', schema: { type: 'integer' } }, { ...toRequester, epoch: 1, sequence: 3 }),
  'task.input': make('task.input', requester, {}, { ...toProvider, epoch: 1, ...json(2025) }),
  'task.revoke': make('task.revoke', requester, { reason: 'silent for 5000 ms' }, { ...toProvider, epoch: 1 }),
  'task.result': result,
  'task.receipt': receipt,
  'task.settled': make('task.settled', requester, { countersignature: base64(statementOf(countersign)) }, { ...toProvider, causationId: result.messageId, epoch: 1 }),
  'task.countersign': countersign,
  ...conversation(),
  'hello.more': make('hello.more', requester, { credentials: [base64(requester.credential())] }, fromRequesterNode),
  ...antiEntropy(),
  'task.counter': make('task.counter', requester, { round: 1, turn: 1, bid_id: bid.messageId, cost: 2.5, closes_in_ms: 500 }, toProvider),
  'advert.relay': make('advert.relay', provider, { advert: base64(statementOf(advert)) }, fromProviderNode)
}

/** Made after all others. */
function antiEntropy (): { [T in 'advert.survey' | 'advert.digest' | 'advert.sync']: Envelope } {
  const mark = sha256(statementOf(advert)).subarray(0, 8)
  const survey = make('advert.survey', requester, {}, fromRequesterNode)
  return {
    'advert.survey': survey,
    'advert.digest': make('advert.digest', provider, { agents: 1, domains: [{ domain: 'data', agents: 1, digest: base64(mark) }] }, { ...fromProviderNode, causationId: survey.messageId }),
    'advert.sync': make('advert.sync', requester, { domains: ['data'], part: 0, of: 1, have: base64(mark), limit: 256 }, fromRequesterNode)
  }
}

/** Made last, so that the samples of earlier versions keep their ids. */
function conversation (): { [T in 'request' | 'reply' | 'tell' | 'cancel' | 'dialogue.open']: Envelope } {
  const request = make('request', requester, {}, { ...toProvider, task: 'price.quote', ...json({ units: 3 }), remainingMs: 30_000 })
  return {
    request,
    reply: make('reply', provider, {}, { ...toRequester, ...json({ price: 42 }), causationId: request.messageId }),
    tell: make('tell', requester, {}, { ...toProvider, task: 'price.changed', mediaType: 'application/octet-stream', content: Uint8Array.of(1, 2, 3) }),
    cancel: make('cancel', requester, {}, { ...toProvider, causationId: request.messageId }),
    'dialogue.open': make('dialogue.open', requester, {}, { ...toProvider, task: 'price.talk', ...json({ symbol: 'EUR' }) })
  }
}
