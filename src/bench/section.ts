/** A part of the bench: what it measures, and what it needs for that. */
import type { Pair } from './pair.ts'
import type { Measured } from './process.ts'
import type { Ratio, Table } from './report.ts'
import type { Subject } from './subject.ts'

export interface Section {
  readonly id: string
  readonly title: string
  run: (bench: Bench) => Promise<Findings>
}

export interface Findings {
  tables: Table[]
  ratios: Ratio[]
}

export interface Bench {
  readonly rounds: number
  /** Short and rough: to see that it works. */
  readonly quick: boolean
  readonly signal: AbortSignal
  /** A folder of this section's own, removed after it. */
  readonly folder: string
  /** Those that are there. */
  readonly subjects: readonly Subject[]
  /** The subject's two processes, started when first asked for, and kept for the sections that share them. Nothing when they do not start. */
  pair: (subject: Subject) => Promise<Pair | undefined>
  /** Two processes that have done nothing yet, and end with the section. */
  freshPair: (subject: Subject) => Promise<Pair>
  /** A process that plays a part of actors.ts; ended with the section. */
  start: (part: string, args: unknown, options?: { execArgv?: string[], env?: Record<string, string> }) => Promise<Measured>
  /** Tries; what goes wrong is kept under the subject's title, and nothing comes of it. */
  attempt: <T>(subject: string, work: () => Promise<T>) => Promise<T | undefined>
  progress: (text: string) => void
}

/** Payload of everything that does not say otherwise. */
export const PAYLOAD_BYTES = 300
