import { artifactFolder } from '../artifacts.ts'
import type { Console } from '../console.ts'
import { follow } from '../follow.ts'
import { parseJson, readJson } from '../input.ts'
import { anyNode, runningNode, type NetworkOptions } from '../session.ts'
import { leftOr, onStop } from '../signals.ts'
import { parseCapability } from '../../core/capability.ts'
import { A2aError } from '../../core/errors.ts'

export interface RunOptions extends NetworkOptions {
  input?: string
  maxDuration?: number
  maxCost?: number
  maxDepth?: number
  to?: string
  detach?: boolean
  answer?: string
  artifacts?: string
}

/** `a2a-node run CAPABILITY`. Ctrl-C cancels the task. */
export async function run (console: Console, options: RunOptions, capability: string): Promise<number> {
  const { maxDuration, maxCost, maxDepth, to, detach = false, answer, artifacts } = options
  parseCapability(capability)
  const input = options.input === undefined ? null : await readJson(options.input, '--input')
  const request = { capability, input, maxDurationMs: maxDuration, maxCostTokens: maxCost, maxDepth, to, detach }
  const parsedAnswer = answer === undefined ? undefined : { value: parseJson(answer, '--answer') }
  using stop = onStop()
  // a node that ends with this command has nobody to leave the task to
  await using session = await (detach ? runningNode(console) : anyNode(console, options, stop.signal)).catch(leftOr(stop))
  // whoever left while we joined has asked for nothing yet
  if (session === undefined || stop.signal.aborted) return stop.exitCode()
  const events = session.api.run(request)
  if (detach) {
    for await (const event of events) {
      if (event.event === 'failed') throw new A2aError(event.failure)
      console.emit({ event: 'detached', taskId: event.taskId })
      console.print(event.taskId)
      console.note(`follow it with: a2a-node task resume ${event.taskId}`)
      return 0
    }
  }
  const saveArtifact = artifacts === undefined ? undefined : artifactFolder(artifacts)
  return await follow(console, session.api, events, { stop, owned: true, answer: parsedAnswer, saveArtifact })
}
