/** W3C Trace Context (https://www.w3.org/TR/trace-context/): the ids of a call, handed on with it. */
import { randomBytes } from 'node:crypto'

const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/
/** What we make ourselves is in the event log of each node that it passes. */
const RECORDED = '01'

/** A `traceparent` of a new step: of the same trace as the one before, or of a new trace when there is none that can be read. */
export function nextTraceparent (before?: string): string {
  const [, trace = randomBytes(16).toString('hex'), flags = RECORDED] = TRACEPARENT.exec(before ?? '') ?? []
  return `00-${trace}-${randomBytes(8).toString('hex')}-${flags}`
}
