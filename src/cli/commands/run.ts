import { artifactFolder } from '../artifacts.ts'
import type { Console } from '../console.ts'
import { fanOut } from './fan-out.ts'
import { follow } from '../follow.ts'
import { parseJson, readJson } from '../input.ts'
import { anyNode, runningNode, type NetworkOptions } from '../session.ts'
import { leftOr, onStop } from '../signals.ts'
import { parseCapability } from '../../core/capability.ts'
import { A2aError } from '../../core/errors.ts'
import { parsePolicy } from '../../core/policy.ts'
import type { EnqueueRequest } from '../../control/api.ts'
import type { FanOutPolicy } from '../../index.ts'

export interface RunOptions extends NetworkOptions {
  input?: string
  maxDuration?: number
  maxCost?: number
  maxDepth?: number
  to?: string
  policy?: string
  patient?: boolean
  detach?: boolean
  idempotencyKey?: string
  notBefore?: number
  expires?: number
  attempts?: number
  answer?: string
  artifacts?: string
  hedge?: number
  fanOut?: FanOutPolicy
}

/** `a2a-node run CAPABILITY`. Ctrl-C cancels the task. */
export async function run (console: Console, options: RunOptions, capability: string): Promise<number> {
  const { maxDuration, maxCost, maxDepth, to, policy, patient, detach = false, idempotencyKey, notBefore, expires, attempts, hedge, fanOut: toMany, answer, artifacts } = options
  parseCapability(capability)
  const input = options.input === undefined ? null : await readJson(options.input, '--input')
  const task = { capability, input, maxDurationMs: maxDuration, maxCostTokens: maxCost }
  if (toMany !== undefined) return await fanOut(console, options, { ...task, policy: toMany })
  const ranked = { policy: policy === undefined ? undefined : parsePolicy(policy), patient, hedge: hedge === undefined ? undefined : { afterMs: hedge }, maxDepth }
  const queued = { idempotencyKey, notBefore, expiresAt: expires, maxAttempts: attempts }
  if (detach && Object.values(ranked).some(value => value !== undefined)) {
    throw new A2aError({ code: 'BAD_USAGE', why: '--policy, --patient, --hedge and --max-depth are not for a task in the queue, which is tried again by its own rules', hint: 'leave them out, or --detach' })
  }
  if (detach) return await enqueue(console, { ...task, to, ...queued })
  if (Object.values(queued).some(value => value !== undefined)) {
    throw new A2aError({ code: 'BAD_USAGE', why: '--idempotency-key, --not-before, --expires and --attempts are for a task in the queue', hint: 'add --detach' })
  }
  const parsedAnswer = answer === undefined ? undefined : { value: parseJson(answer, '--answer') }
  using stop = onStop()
  await using session = await anyNode(console, options, stop.signal).catch(leftOr(stop))
  // whoever left while we joined has asked for nothing yet
  if (session === undefined || stop.signal.aborted) return stop.exitCode()
  const events = session.api.run({ ...task, to, ...ranked })
  const saveArtifact = artifacts === undefined ? undefined : artifactFolder(artifacts)
  return await follow(console, session.api, events, { stop, owned: true, answer: parsedAnswer, saveArtifact })
}

/** `run --detach`: a node that ends with this command has nobody to leave it to. */
async function enqueue (console: Console, request: EnqueueRequest): Promise<number> {
  await using session = await runningNode(console)
  const taskId = await session.api.enqueue(request)
  console.emit({ event: 'detached', taskId })
  console.print(taskId)
  console.note(`follow it with: a2a-node task resume ${taskId}`)
  return 0
}
