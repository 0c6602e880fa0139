/** Everything that is measured, in the order of the tables. */
import type { Subject } from '../subject.ts'
import { a2aSdk } from './a2a-sdk.ts'
import { grpc } from './grpc.ts'
import { libp2p } from './libp2p.ts'
import { moleculer } from './moleculer.ts'
import { nats } from './nats.ts'
import { own } from './own.ts'
import { tcp } from './tcp.ts'

export const SUBJECTS: readonly Subject[] = [own, tcp, libp2p, nats, grpc, moleculer, a2aSdk]

/** @throws Error when there is none of that name */
export function subjectOf (id: string): Subject {
  const found = SUBJECTS.find(subject => subject.id === id)
  if (found === undefined) throw new Error(`there is no subject ${id}; there are ${SUBJECTS.map(subject => subject.id).join(', ')}`)
  return found
}
