/** A run of the bench: sections one after the other, and in each the subjects in turns. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { machine, missingFor, versionsOf } from './ground.ts'
import { startPair, type Pair } from './pair.ts'
import { startProcess } from './process.ts'
import type { Report } from './report.ts'
import type { Section } from './section.ts'
import { SECTIONS } from './sections/all.ts'
import type { Subject } from './subject.ts'
import { SUBJECTS } from './subjects/all.ts'
import { selfSigned } from './tls.ts'

export interface BenchOptions {
  sections?: readonly Section[]
  subjects?: readonly Subject[]
  rounds?: number
  quick?: boolean
  /** What was typed, for the report. */
  command: string
  signal?: AbortSignal
  onProgress?: (text: string) => void
}

/** Rounds of a run, unless it is told: odd, so that a median is a figure that was measured. */
const ROUNDS = 5

/**
 * Measures. Everything it starts has ended when it resolves, its files are gone, and what a subject failed at is in the
 * report. When the signal aborts, the report has what was measured by then.
 */
export async function runBench ({ sections = SECTIONS, subjects = SUBJECTS, quick = false, rounds = quick ? 1 : ROUNDS, command, signal: stop, onProgress = () => undefined }: BenchOptions): Promise<Report> {
  const report: Report = { at: new Date().toISOString(), command, quick, rounds, machine: machine(), versions: {}, missing: [], failures: [], ratios: [], sections: sections.map(({ id, title }) => ({ id, title })), tables: [], interrupted: false, unmeasured: [] }
  const there: Subject[] = []
  for (const subject of subjects) {
    const get = await missingFor(subject)
    if (get === undefined) there.push(subject)
    else {
      report.missing.push({ subject: subject.title, get })
      onProgress(`${subject.title} is left out, missing: ${get}`)
    }
  }
  report.versions = await versionsOf(there)

  const folder = mkdtempSync(join(tmpdir(), 'a2a-bench-'))
  const ended = new AbortController()
  const signal = stop === undefined ? ended.signal : AbortSignal.any([stop, ended.signal])
  const tls = selfSigned()
  const pairs = new Map<string, Promise<Pair | undefined>>()
  try {
    for (const section of sections) {
      const begun = !signal.aborted
      if (begun) await runSection(section)
      if (signal.aborted) report.unmeasured.push({ section: section.id, title: section.title, begun })
    }
  } finally {
    report.interrupted = stop?.aborted === true
    for (const pair of await Promise.all(pairs.values())) await pair?.[Symbol.asyncDispose]()
    ended.abort(new Error('the bench is over'))
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }
  return report

  async function runSection (section: Section): Promise<void> {
    await using stack = new AsyncDisposableStack()
    const own = join(folder, section.id)
    mkdirSync(own)
    stack.defer(() => { rmSync(own, { recursive: true, force: true, maxRetries: 3 }) })
    const fail = (subject: string, error: unknown): void => {
      if (stop?.aborted === true) return
      const why = error instanceof Error ? error.message : String(error)
      if (!report.failures.some(failure => failure.section === section.id && failure.subject === subject && failure.why === why)) report.failures.push({ section: section.id, subject, why })
      onProgress(`${section.title}: ${subject} failed: ${why}`)
    }
    const attempt = async <T>(subject: string, work: () => Promise<T>): Promise<T | undefined> => {
      try {
        return await work()
      } catch (error) {
        fail(subject, error)
        return undefined
      }
    }
    onProgress(section.title)
    const findings = await attempt('a2a-node', () => section.run({
      rounds, quick, signal, attempt, folder: own,
      subjects: there,
      pair: subject => {
        const begun = pairs.get(subject.id) ?? attempt(subject.title, () => startPair(subject, folder, tls, signal))
        pairs.set(subject.id, begun)
        return begun
      },
      freshPair: async subject => stack.use(await startPair(subject, mkdtempSync(join(own, 'pair-')), tls, signal)),
      start: async (part, args, options) => stack.use(await startProcess(part, args, { ...options, signal })),
      progress: onProgress
    }))
    if (findings === undefined) return
    report.tables.push(...findings.tables.filter(({ rows }) => rows.length > 0))
    report.ratios.push(...findings.ratios)
  }
}
