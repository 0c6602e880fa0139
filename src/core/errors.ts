/**
 * Everything that can go wrong, as one union: each code carries its own facts. Codes travel on the wire and in `--json`
 * output, so they are never renamed. `docs/errors.md` lists them; a test holds that table and this union together.
 */
export type Failure =
  // using it
  | { code: 'BAD_USAGE', why: string, hint?: string }
  | { code: 'INPUT_INVALID', capability: string, why: string }
  | { code: 'OUTPUT_INVALID', capability: string, why: string }
  | { code: 'CAPABILITY_INVALID', name: string, why: string }
  // finding and bargaining
  | { code: 'NO_CAPABLE_AGENT', capability: string, waitedMs: number }
  | { code: 'NO_BIDS', capability: string, rounds: number, asked: number }
  | { code: 'ALL_PROVIDERS_FAILED', capability: string, attempts: number, last: string }
  | { code: 'FAN_OUT_FAILED', capability: string, completed: number, needed: number, of: number, last: string }
  | { code: 'OVER_BUDGET', capability: string, maxCost: number, lowest: number }
  // doing the work
  | { code: 'DEADLINE_EXCEEDED', taskId: string, afterMs: number }
  | { code: 'CANCELLED', taskId?: string, dialogue?: string, why: string }
  | { code: 'HANDLER_FAILED', capability: string, why: string, retryable: boolean }
  | { code: 'HANDLER_LOST', capability: string, why: string }
  | { code: 'LEASE_EXPIRED', provider: string, silentMs: number }
  | { code: 'SLA_BREACHED', provider: string, promisedMs: number, afterMs: number, term?: 'progress' }
  | { code: 'STALE_EPOCH', taskId: string, epoch: number, current: number }
  | { code: 'REFUSED', why: string }
  | { code: 'NOT_ALLOWED', capability: string, why: string }
  | { code: 'LOOP', path: string[] }
  | { code: 'CIRCUIT_OPEN', what: string, why: string, retryMs: number }
  | { code: 'TASK_UNKNOWN', taskId: string }
  // the background queue
  | { code: 'DEAD_LETTER', jobId: string, capability: string, attempts: number, last: string }
  | { code: 'EXPIRED', jobId: string, afterMs: number, last: string }
  // the wire
  | { code: 'PEER_UNREACHABLE', peer: string, why: string }
  | { code: 'NO_REPLY', peer: string, type: string, waitedMs: number }
  | { code: 'MESSAGE_MALFORMED', why: string }
  | { code: 'MESSAGE_TOO_LARGE', bytes: number, limit: number }
  | { code: 'MESSAGE_UNKNOWN', type: string }
  | { code: 'VERSION_UNSUPPORTED', version: number, supported: number }
  | { code: 'SIGNATURE_INVALID', why: string }
  | { code: 'CREDENTIAL_INVALID', why: string }
  | { code: 'ADVERT_STALE', agent: string, why: string }
  | { code: 'OVERLOADED', what: string, limit: number }
  // content
  | { code: 'CONTENT_UNKNOWN', hash: string, peer: string }
  | { code: 'CONTENT_CHANGED', hash: string, why: string }
  | { code: 'CONTENT_UNAVAILABLE', hash: string, why: string }
  | { code: 'NO_SPACE', file: string, why: string }
  // the ground
  | { code: 'HOME_IN_USE', home: string, pid?: number }
  | { code: 'HOME_UNUSABLE', home: string, why: string }
  | { code: 'KEY_INVALID', file: string, why: string }
  | { code: 'LOG_DAMAGED', file: string, why: string }
  | { code: 'LOG_WRITE_FAILED', file: string, why: string }
  | { code: 'LISTEN_FAILED', address: string, why: string }
  | { code: 'NODE_NOT_RUNNING', home: string }
  | { code: 'INTERNAL', why: string }

export type FailureCode = Failure['code']

/** What each failure means to its reader: what happened, why, and what to do. One line. */
export function explain (failure: Failure): string {
  switch (failure.code) {
    case 'BAD_USAGE': return failure.hint === undefined ? failure.why : `${failure.why}; ${failure.hint}`
    case 'INPUT_INVALID': return `the input does not fit ${failure.capability}: ${failure.why}; see its schema with: a2a-node find ${failure.capability} --json`
    case 'OUTPUT_INVALID': return `the output of ${failure.capability} does not fit its own schema: ${failure.why}; tell its provider`
    case 'CAPABILITY_INVALID': return `"${failure.name}" is no capability name: ${failure.why}; use dotted lower-case labels such as data.revenue.aggregate or data.revenue.aggregate@1; to find by a prefix: data.*`
    case 'NO_CAPABLE_AGENT': return `nobody offers ${failure.capability} (looked for ${failure.waitedMs} ms); start an agent for it, or check the mesh with: a2a-node doctor`
    case 'NO_BIDS': return `nobody made a bid for ${failure.capability} (agents asked: ${failure.asked}, rounds: ${failure.rounds}); they may be busy: try again later, or see: a2a-node agents`
    case 'ALL_PROVIDERS_FAILED': return `${failure.capability} failed with every bidder (awards: ${failure.attempts}); the last said: ${failure.last}`
    case 'FAN_OUT_FAILED': return `${failure.capability} was done by ${failure.completed} of ${failure.of} agents and ${failure.needed} were needed${failure.last === '' ? '' : `; the last said: ${failure.last}`}`
    case 'OVER_BUDGET': return `the lowest bid for ${failure.capability} costs ${failure.lowest}, more than the ${failure.maxCost} allowed; raise --max-cost`
    case 'DEADLINE_EXCEEDED': return `task ${failure.taskId} was not done after ${failure.afterMs} ms; raise --max-duration, or look at: a2a-node task show ${failure.taskId}`
    case 'CANCELLED': return `${failure.taskId !== undefined ? `task ${failure.taskId}` : `the dialogue${failure.dialogue === undefined ? '' : ` ${failure.dialogue}`}`} was cancelled: ${failure.why}`
    case 'HANDLER_FAILED': return `the handler of ${failure.capability} failed: ${failure.why}`
    case 'HANDLER_LOST': return `the work on ${failure.capability} was lost: ${failure.why}; the requester awards it again`
    case 'LEASE_EXPIRED': return `${failure.provider} was silent for ${failure.silentMs} ms; its lease has ended and the work moves on`
    case 'SLA_BREACHED': return failure.term === 'progress' ? `${failure.provider} agreed to show progress every ${failure.promisedMs} ms and has shown none for ${failure.afterMs} ms; the work moves on` : `${failure.provider} promised ${failure.promisedMs} ms and had not finished after ${failure.afterMs} ms; the work moves on`
    case 'STALE_EPOCH': return `task ${failure.taskId} is at epoch ${failure.current}, this carries epoch ${failure.epoch}; it was awarded anew and this is refused`
    case 'REFUSED': return `refused: ${failure.why}`
    case 'NOT_ALLOWED': return `not allowed to call ${failure.capability}: ${failure.why}; ask its owner to mark it public`
    case 'LOOP': return `the delegation would loop: ${failure.path.join(' → ')}; let another agent do it`
    case 'CIRCUIT_OPEN': return `the circuit breaker of ${failure.what} is open, for it failed again and again${failure.why === '' ? '' : ` (${failure.why})`}; ${failure.retryMs > 0 ? `it is tried again in ${failure.retryMs} ms` : 'it is being tried'}; see: a2a-node status`
    case 'TASK_UNKNOWN': return `no task ${failure.taskId} here; list them with: a2a-node task ls`
    case 'DEAD_LETTER': return `job ${failure.jobId} for ${failure.capability} was given up (attempts: ${failure.attempts}); the last said: ${failure.last}; see: a2a-node dead show ${failure.jobId}, and once it is mended: a2a-node dead replay ${failure.jobId}`
    case 'EXPIRED': return `job ${failure.jobId} was not done in its time (${failure.afterMs} ms); the last said: ${failure.last}; queue it again with a later --expires`
    case 'PEER_UNREACHABLE': return `cannot reach ${failure.peer}: ${failure.why}; check that it runs and that its addresses are reachable`
    case 'NO_REPLY': return `${failure.peer} did not answer ${failure.type} within ${failure.waitedMs} ms; it may be stopped or overloaded`
    case 'MESSAGE_MALFORMED': return `malformed message: ${failure.why}; the sender may run another version`
    case 'MESSAGE_TOO_LARGE': return `the message has ${failure.bytes} bytes, the limit is ${failure.limit}; send less, or a reference to the data`
    case 'MESSAGE_UNKNOWN': return `unknown message type "${failure.type}"; the sender may run a newer version`
    case 'VERSION_UNSUPPORTED': return `protocol version ${failure.version} is not spoken here, only ${failure.supported}; update the older of the two nodes`
    case 'SIGNATURE_INVALID': return `the signature does not hold: ${failure.why}; the message was refused`
    case 'CREDENTIAL_INVALID': return `the credential does not hold: ${failure.why}; check the clocks of both machines`
    case 'ADVERT_STALE': return `an old advert of ${failure.agent} was refused: ${failure.why}; somebody says it again, or a clock is wrong: compare the clocks of both machines`
    case 'OVERLOADED': return `too many ${failure.what} (limit ${failure.limit}); try again later`
    case 'CONTENT_UNKNOWN': return `${failure.peer} has no content ${failure.hash}, or not for who holds this ref; ask its sender for a new one`
    case 'CONTENT_CHANGED': return `the content ${failure.hash} is no longer there: ${failure.why}; send it again`
    case 'CONTENT_UNAVAILABLE': return `the content ${failure.hash} could not be fetched: ${failure.why}; what has come is kept, so try again`
    case 'NO_SPACE': return `no space at ${failure.file}: ${failure.why}; free some, then try again`
    case 'HOME_IN_USE': return `the home ${failure.home} is in use by ${failure.pid === undefined ? 'another command' : `process ${failure.pid}`}; ${failure.pid === undefined ? 'wait for it, run a2a-node start once for all commands to share' : 'stop that node'}, or choose another with --home DIR`
    case 'HOME_UNUSABLE': return `cannot use the home ${failure.home}: ${failure.why}; fix its permissions, or choose another with --home DIR`
    case 'KEY_INVALID': return `the key file ${failure.file} cannot be used: ${failure.why}; restore it from a backup, or move it away to get a new identity`
    case 'LOG_DAMAGED': return `the event log ${failure.file} cannot be read: ${failure.why}; nothing was overwritten: save what holds with: a2a-node log repair, restore it from a backup, or move it away, with all files that are called log.db…, to begin anew`
    case 'LOG_WRITE_FAILED': return `cannot write the event log ${failure.file}: ${failure.why}; nothing was acknowledged: free space or mend the disk, then try again`
    case 'LISTEN_FAILED': return `cannot listen on ${failure.address}: ${failure.why}; choose another address with --listen`
    case 'NODE_NOT_RUNNING': return `no node runs with the home ${failure.home}; start one with: a2a-node start`
    case 'INTERNAL': return `a bug of a2a-node: ${failure.why}; please report it with the log`
  }
}

/**
 * The only error class of this project. `failure` has the code and the facts, `message` the one line for people.
 */
export class A2aError extends Error {
  readonly failure: Failure

  constructor (failure: Failure, options?: ErrorOptions) {
    super(explain(failure), options)
    this.name = 'A2aError'
    this.failure = failure
  }

  get code (): FailureCode {
    return this.failure.code
  }
}

/** Any thrown value as a Failure. What is not ours is `INTERNAL`, or what `otherwise` makes of its message. */
export function toFailure (error: unknown, otherwise?: (why: string) => Failure): Failure {
  if (error instanceof A2aError) return error.failure
  const why = messageOf(error)
  return otherwise?.(why) ?? { code: 'INTERNAL', why }
}

/**
 * A failure that somebody else states, when it is one: a code known here, facts that are plain, and enough of them to
 * explain it. `undefined` otherwise: nothing of it may be used.
 */
export function readFailure (stated: unknown): Failure | undefined {
  if (typeof stated !== 'object' || stated === null || !Object.values(stated).every(isPlain)) return undefined
  try {
    return explain(stated as Failure) as string | undefined === undefined ? undefined : stated as Failure
  } catch {
    return undefined
  }
}

const isPlain = (fact: unknown): boolean =>
  ['string', 'number', 'boolean', 'undefined'].includes(typeof fact) || (Array.isArray(fact) && fact.every(part => typeof part === 'string'))

/** The message of any thrown value, on one line. */
export function messageOf (error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.split('\n')[0] ?? ''
}
