/** What the bench and the processes it measures say to each other over IPC: calls by name, and their answers. */
export interface Call {
  id: number
  call: string
  args: unknown
}

export type Answer = { id: number, value: unknown } | { id: number, error: string }

/** What a process does: the calls it takes. Everything in and out is JSON. */
export type Actor = Record<string, (args: any) => Promise<unknown>>

export interface Usage {
  /** User and system, in µs, since the process began. */
  cpuUs: number
  rssBytes: number
}
