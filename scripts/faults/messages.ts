/** What the leader of a run and its processes say to each other over IPC. */
export type ToWorker =
  | { type: 'start', home: string, rendezvous: string, name: string, capability: string, effects: string }
  /** Delegates at `rate` tasks a second. */
  | { type: 'work', rate: number, capabilities: string[], maxDurationMs: number, leaseMs: number }
  /** Asks for nothing more. */
  | { type: 'rest' }
  /** How many tasks of its own are open. */
  | { type: 'count' }
  | { type: 'end' }

export type FromWorker =
  | { type: 'ready', agentId: string, tookMs: number }
  /** The task is on disk: its owner may rely on it. */
  | { type: 'acknowledged', taskId: string, at: number }
  | { type: 'told', taskId: string, at: number, event: unknown }
  | { type: 'counted', open: number }
  | { type: 'failed', why: string }
