import type { Console } from '../console.ts'
import { ago, formatDuration } from '../duration.ts'
import { nodeOrHome, runningNode } from '../session.ts'
import { facts } from '../table.ts'
import type { IdentityView } from '../../control/api.ts'

/** `a2a-node id show`. */
export async function show (console: Console): Promise<number> {
  await using session = await nodeOrHome(console)
  print(console, await session.api.identity())
  return 0
}

/** `a2a-node id rotate`. @throws A2aError NODE_NOT_RUNNING */
export async function rotate (console: Console): Promise<number> {
  await using session = await runningNode(console)
  print(console, await session.api.rotate())
  return 0
}

function print (console: Console, identities: IdentityView[]): void {
  for (const identity of identities) {
    const { credential } = identity
    console.emit(identity)
    console.print(`${facts(console, [
      ['agent', identity.agentId],
      ['name', identity.name],
      ['peer', identity.peerId],
      ['key file', identity.keyFile],
      ['credential', credential === undefined ? 'none while no node runs' : `issued ${ago(credential.notBefore)}, expires in ${formatDuration(credential.expires - Date.now())}`]
    ])}\n`)
  }
}

/** `a2a-node id export`: what others may know of each agent. Always JSON; the secret key stays in its file. */
export async function exportIdentity (console: Console): Promise<number> {
  await using session = await nodeOrHome(console)
  for (const { agentId, name, peerId } of await session.api.identity()) {
    const exported = { agent_id: agentId, name, peer_id: peerId, did_document: didDocument(agentId) }
    console.emit(exported, { asIs: true })
    console.print(JSON.stringify(exported, null, 2))
  }
  return 0
}

/** The DID document that a `did:key` stands for (did:key method v0.7, Ed25519 without a derived key agreement key). */
export function didDocument (did: string): object {
  const key = did.slice('did:key:'.length)
  const method = `${did}#${key}`
  return {
    '@context': ['https://www.w3.org/ns/did/v1', 'https://w3id.org/security/suites/ed25519-2020/v1'],
    id: did,
    verificationMethod: [{ id: method, type: 'Ed25519VerificationKey2020', controller: did, publicKeyMultibase: key }],
    authentication: [method],
    assertionMethod: [method],
    capabilityDelegation: [method],
    capabilityInvocation: [method]
  }
}
