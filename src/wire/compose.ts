/** Builds envelopes whose payload fits their type. */
import type { MessageName, Payload } from './messages.ts'
import { PROTOCOL_VERSION, type Envelope } from '../core/envelope.ts'

/** Fields of an envelope that depend on what it is about. */
export type Fields = Pick<Envelope, 'correlationId'> & Partial<Omit<Envelope, 'correlationId' | 'payload' | 'type' | 'auth' | 'version'>>

/** What every message of one agent has in common. */
export interface Author {
  agentId: string
  newId: () => string
  now: () => number
}

export function compose<T extends MessageName> (type: T, payload: Payload<T>, { agentId, newId, now }: Author, fields: Fields): Envelope {
  return { version: PROTOCOL_VERSION, messageId: newId(), from: agentId, timestamp: now(), type, payload, ...fields }
}

/** The answer to an envelope: same conversation, the other way round. */
export function composeReply<T extends MessageName> (to: Envelope, type: T, payload: Payload<T>, author: Author, fields: Partial<Fields> = {}): Envelope {
  return compose(type, payload, author, {
    correlationId: to.correlationId,
    causationId: to.messageId,
    to: to.from,
    ...(to.epoch === undefined ? {} : { epoch: to.epoch }),
    ...fields
  })
}

/** The payload of an envelope that has been checked against its type (parsePayload) on the way in. */
export const payloadOf = <T extends MessageName>(envelope: Envelope, _type: T): Payload<T> => envelope.payload as Payload<T>
