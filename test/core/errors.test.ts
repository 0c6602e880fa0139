import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { A2aError, explain, messageOf, toFailure, type Failure, type FailureCode } from '../../src/core/errors.ts'

/** One of each: the compiler says when a code is missing here. */
const failures: { [C in FailureCode]: Extract<Failure, { code: C }> } = {
  BAD_USAGE: { code: 'BAD_USAGE', why: 'no capability was given', hint: 'see --help' },
  INPUT_INVALID: { code: 'INPUT_INVALID', capability: 'data.sum', why: '/a must be a number' },
  OUTPUT_INVALID: { code: 'OUTPUT_INVALID', capability: 'data.sum', why: '/b must be there' },
  CAPABILITY_INVALID: { code: 'CAPABILITY_INVALID', name: 'Data', why: '"Data" is no label' },
  NO_CAPABLE_AGENT: { code: 'NO_CAPABLE_AGENT', capability: 'data.sum', waitedMs: 17 },
  NO_BIDS: { code: 'NO_BIDS', capability: 'data.sum', rounds: 3, asked: 4 },
  ALL_PROVIDERS_FAILED: { code: 'ALL_PROVIDERS_FAILED', capability: 'data.sum', attempts: 2, last: 'HANDLER_FAILED: no' },
  FAN_OUT_FAILED: { code: 'FAN_OUT_FAILED', capability: 'data.sum', completed: 1, needed: 2, of: 3, last: 'it broke' },
  OVER_BUDGET: { code: 'OVER_BUDGET', capability: 'data.sum', maxCost: 5, lowest: 7 },
  DEADLINE_EXCEEDED: { code: 'DEADLINE_EXCEEDED', taskId: 'T1', afterMs: 5_000 },
  CANCELLED: { code: 'CANCELLED', taskId: 'T1', why: 'enough' },
  HANDLER_FAILED: { code: 'HANDLER_FAILED', capability: 'data.sum', why: 'division by zero', retryable: false },
  HANDLER_LOST: { code: 'HANDLER_LOST', capability: 'data.sum', why: 'its process was restarted' },
  LEASE_EXPIRED: { code: 'LEASE_EXPIRED', provider: 'did:key:zA', silentMs: 5_001 },
  SLA_BREACHED: { code: 'SLA_BREACHED', provider: 'did:key:zA', promisedMs: 100, afterMs: 501 },
  STALE_EPOCH: { code: 'STALE_EPOCH', taskId: 'T1', epoch: 1, current: 2 },
  REFUSED: { code: 'REFUSED', why: 'that bid does not stand any more' },
  NOT_ALLOWED: { code: 'NOT_ALLOWED', capability: 'data.sum', why: 'it is not public' },
  LOOP: { code: 'LOOP', path: ['a', 'b', 'a'] },
  CIRCUIT_OPEN: { code: 'CIRCUIT_OPEN', what: 'data.sum', why: 'the handler failed', retryMs: 900 },
  TASK_UNKNOWN: { code: 'TASK_UNKNOWN', taskId: 'T1' },
  DEAD_LETTER: { code: 'DEAD_LETTER', jobId: 'J1', capability: 'data.sum', attempts: 5, last: 'HANDLER_FAILED: no' },
  EXPIRED: { code: 'EXPIRED', jobId: 'J1', afterMs: 5_000, last: 'NO_BIDS' },
  PEER_UNREACHABLE: { code: 'PEER_UNREACHABLE', peer: '12D3', why: 'connection refused' },
  NO_REPLY: { code: 'NO_REPLY', peer: '12D3', type: 'task.award', waitedMs: 5_000 },
  MESSAGE_MALFORMED: { code: 'MESSAGE_MALFORMED', why: 'from must be there' },
  MESSAGE_TOO_LARGE: { code: 'MESSAGE_TOO_LARGE', bytes: 9, limit: 8 },
  MESSAGE_UNKNOWN: { code: 'MESSAGE_UNKNOWN', type: 'task.sing' },
  VERSION_UNSUPPORTED: { code: 'VERSION_UNSUPPORTED', version: 2, supported: 1 },
  SIGNATURE_INVALID: { code: 'SIGNATURE_INVALID', why: 'another key has signed it' },
  CREDENTIAL_INVALID: { code: 'CREDENTIAL_INVALID', why: 'it has expired' },
  ADVERT_STALE: { code: 'ADVERT_STALE', agent: 'did:key:zA', why: 'it was made 700 s ago' },
  OVERLOADED: { code: 'OVERLOADED', what: 'tasks at work', limit: 16 },
  CONTENT_UNKNOWN: { code: 'CONTENT_UNKNOWN', hash: 'h4sh', peer: '12D3' },
  CONTENT_CHANGED: { code: 'CONTENT_CHANGED', hash: 'h4sh', why: 'its file is gone' },
  CONTENT_UNAVAILABLE: { code: 'CONTENT_UNAVAILABLE', hash: 'h4sh', why: 'nothing has come' },
  NO_SPACE: { code: 'NO_SPACE', file: 'big.csv', why: 'the disk is full' },
  HOME_IN_USE: { code: 'HOME_IN_USE', home: '/home/me/agent', pid: 42 },
  HOME_UNUSABLE: { code: 'HOME_UNUSABLE', home: '/home/me/agent', why: 'permission denied' },
  KEY_INVALID: { code: 'KEY_INVALID', file: 'node.pem', why: 'it is empty' },
  LOG_DAMAGED: { code: 'LOG_DAMAGED', file: 'log.db', why: 'file is not a database' },
  LOG_WRITE_FAILED: { code: 'LOG_WRITE_FAILED', file: 'log.db', why: 'disk is full' },
  LISTEN_FAILED: { code: 'LISTEN_FAILED', address: '/ip4/127.0.0.1/tcp/1', why: 'permission denied' },
  NODE_NOT_RUNNING: { code: 'NODE_NOT_RUNNING', home: '/home/me/agent' },
  INTERNAL: { code: 'INTERNAL', why: 'this cannot be' }
}

describe('each failure is explained in one line, with all its facts', () => {
  for (const [code, failure] of Object.entries(failures)) {
    it(code, () => {
      const line = explain(failure)
      assert.equal(failure.code, code)
      assert.doesNotMatch(line, /\n|undefined|\[object|NaN/)
      assert.ok(line.length > 10 && line.length < 300)
      const { code: _, ...facts } = failure
      for (const [name, fact] of Object.entries(facts)) if (name !== 'retryable') assert.ok(line.includes(Array.isArray(fact) ? fact.join(' → ') : String(fact)), `${name} is missing in: ${line}`)
    })
  }

  it('and without the facts that may be missing', () => {
    assert.equal(explain({ code: 'BAD_USAGE', why: 'why' }), 'why')
    assert.doesNotMatch(explain({ code: 'HOME_IN_USE', home: 'h' }), /undefined|process/)
  })
})

it('an error carries its failure, its code, its line, and its cause', () => {
  const cause = new Error('root')
  const error = new A2aError(failures.NO_REPLY, { cause })
  assert.ok(error instanceof Error)
  assert.deepEqual([error.failure, error.code, error.message, error.name, error.cause], [failures.NO_REPLY, 'NO_REPLY', explain(failures.NO_REPLY), 'A2aError', cause])
})

it('whatever was thrown becomes a failure', () => {
  assert.equal(toFailure(new A2aError(failures.LOOP)), failures.LOOP)
  assert.equal(toFailure(new A2aError(failures.LOOP), () => failures.REFUSED), failures.LOOP)
  assert.deepEqual(toFailure(new TypeError('first line\nsecond line')), { code: 'INTERNAL', why: 'first line' })
  assert.deepEqual(toFailure('text', why => ({ code: 'REFUSED', why })), { code: 'REFUSED', why: 'text' })
  for (const [thrown, message] of [[undefined, 'undefined'], [null, 'null'], [42, '42'], [{}, '[object Object]'], [new Error('', { cause: 1 }), '']] as const) assert.equal(messageOf(thrown), message)
})
