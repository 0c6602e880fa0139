import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileName } from '../artifacts.ts'
import { printable, type Console } from '../console.ts'
import { ago, formatDuration } from '../duration.ts'
import { readJson } from '../input.ts'
import { progressLine } from '../progress.ts'
import { runningNode } from '../session.ts'
import { onStop, type Stop } from '../signals.ts'
import { table } from '../table.ts'
import { A2aError } from '../../core/errors.ts'
import type { ContentEvent } from '../../control/api.ts'
import type { ContentProgress, ContentRef, ContentRow } from '../../core/content.ts'

/** `a2a-node content send FILE`: prints the ref. */
export async function send (console: Console, { name, type }: { name?: string, type?: string }, path: string): Promise<number> {
  using stop = onStop()
  await using session = await runningNode(console)
  const last = await follow(console, session.api.sendContent({ file: resolve(path), name, mediaType: type }), stop)
  if (last?.event !== 'sent') return stop.exitCode()
  console.emit(last)
  console.print(JSON.stringify(last.ref))
  console.note('whoever has this can fetch it, while this node runs: a2a-node content get -')
  return 0
}

/** `a2a-node content get REF`. Ctrl-C keeps what has come, and the same command goes on from there. */
export async function get (console: Console, { out }: { out?: string }, text: string): Promise<number> {
  const ref = await readJson(text, 'the ref') as ContentRef
  const file = resolve(out ?? fileName(String(ref?.name ?? ref?.hash ?? 'content')))
  if (out === undefined && existsSync(file)) throw new A2aError({ code: 'BAD_USAGE', why: `${file} is there already`, hint: 'choose another with --out FILE' })
  using stop = onStop()
  await using session = await runningNode(console)
  const last = await follow(console, session.api.receiveContent({ ref, file }), stop)
  if (last?.event !== 'received') {
    console.emit({ event: 'stopped', file: `${file}.partial` })
    console.note(`stopped; what has come is kept in ${file}.partial, and the same command goes on from there`)
    return stop.exitCode()
  }
  console.emit(last)
  console.print(last.file)
  return 0
}

/** `a2a-node content ls`. */
export async function ls (console: Console): Promise<number> {
  await using session = await runningNode(console)
  const rows = await session.api.contents()
  for (const row of rows) console.emit(row)
  if (rows.length === 0) console.note('no content yet; offer a file: a2a-node content send FILE')
  else if (!console.json) console.print(contentTable(console, rows))
  return 0
}

/** `a2a-node content drop HASH`: the beginning of it will do. */
export async function drop (console: Console, _options: object, text: string): Promise<number> {
  await using session = await runningNode(console)
  const hash = await session.api.dropContent(text)
  console.emit({ event: 'dropped', hash })
  console.note(`dropped ${hash}: nobody can fetch it from here any more`)
  return 0
}

const contentTable = (console: Console, rows: ContentRow[]): string =>
  table(console, ['HASH', 'NAME', 'BYTES', 'KIND', 'SERVED', 'SINCE', 'FILE'], rows.map(row => [
    console.verbose ? row.hash : `${row.hash.slice(0, 10)}…`,
    printable(row.name ?? ''),
    byteText(row.bytes),
    row.changed ? `${row.kind} (changed)` : row.kind,
    byteText(row.servedBytes),
    ago(row.at),
    row.file
  ]))

/** Shows progress until the transfer ends, and resolves to its last event; to nothing when a signal ended it. */
async function follow (console: Console, events: AsyncIterable<ContentEvent>, stop: Stop): Promise<ContentEvent | undefined> {
  using line = progressLine(console.live)
  const iterator = events[Symbol.asyncIterator]()
  const stopped = new Promise<undefined>(resolve => { stop.signal.addEventListener('abort', () => { resolve(undefined) }, { once: true }) })
  line.show('looking for it')
  for (;;) {
    const next = iterator.next()
    next.catch(() => undefined)
    const step = await Promise.race([next, stopped])
    if (step === undefined) {
      // A generator that waits takes no notice of return(): closing the session ends it.
      void iterator.return?.()?.catch(() => undefined)
      return undefined
    }
    if (step.done === true) throw new A2aError({ code: 'INTERNAL', why: 'the transfer ended without a result' })
    const { value } = step
    if (value.event !== 'progress') return value
    console.emit(value)
    line.show(progressText(value))
  }
}

/** `412.3 of 847 MB (49 %), 265 MB/s, 1.6 s left`. */
export function progressText ({ bytes, total, bytesPerSecond, leftMs }: ContentProgress): string {
  const amount = total === undefined ? byteText(bytes) : `${byteText(bytes)} of ${byteText(total)} (${total === 0 ? 100 : Math.floor(100 * bytes / total)} %)`
  return `${amount}, ${byteText(bytesPerSecond)}/s${leftMs === undefined ? '' : `, ${formatDuration(leftMs)} left`}`
}

/** `0 B`, `812 B`, `4.2 KB`, `847 MB`: powers of 1,000. */
export function byteText (bytes: number): string {
  let value = bytes
  for (const unit of ['B', 'KB', 'MB', 'GB']) {
    if (value < 999.5) return `${value < 10 && unit !== 'B' ? value.toFixed(1) : Math.round(value)} ${unit}`
    value /= 1_000
  }
  return `${value.toFixed(1)} TB`
}
