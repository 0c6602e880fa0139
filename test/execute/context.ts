import type { HandlerContext } from '../../src/core/agent.ts'

export interface Told {
  context: HandlerContext
  abort: (reason?: unknown) => void
  progress: Array<[fraction?: number, note?: string]>
}

/** A handler's context that keeps what it is told. */
export function contextOf (facts: Partial<HandlerContext> = {}): Told {
  const controller = new AbortController()
  const progress: Told['progress'] = []
  const context: HandlerContext = {
    taskId: '01JTASK',
    capability: 'text.words.count',
    terms: { cost: 0 },
    requester: 'did:key:z6MkRequester',
    epoch: 2,
    visited: ['did:key:z6MkRequester'],
    signal: controller.signal,
    remainingMs: () => 1_234.5,
    progress: (...said) => { progress.push(said) },
    artifact: async () => {},
    requireInput: async () => undefined,
    delegate: () => { throw new Error('delegates nothing') },
    send: () => { throw new Error('sends nothing') },
    receive: () => { throw new Error('receives nothing') },
    guard: (_name, call) => call(controller.signal),
    ...facts
  }
  return { context, abort: reason => controller.abort(reason), progress }
}
