import type { Console } from '../console.ts'
import { progressLine } from '../progress.ts'
import { onStop } from '../signals.ts'
import { facts, table } from '../table.ts'
import { runBench } from '../../bench/bench.ts'
import { figure, goal } from '../../bench/render/figure.ts'
import { writeReport } from '../../bench/render/write.ts'
import { isMet, type Report } from '../../bench/report.ts'
import { SECTIONS } from '../../bench/sections/all.ts'
import { soak } from '../../bench/sections/soak.ts'
import { A2aError } from '../../core/errors.ts'

export interface BenchFlags {
  only?: string[]
  rounds?: number
  quick?: boolean
  /** Of a soak. Default 10 million. */
  messages?: number
  /** Folder, or true for the default. */
  write?: string | true
}

/** `a2a-node bench`. Exit code 1 when something of our own could not be measured; goals that are not reached are no failure. */
export async function bench (console: Console, { only = [], rounds, messages = 10_000_000, quick = false, write }: BenchFlags, mode?: string): Promise<number> {
  if (mode !== undefined && mode !== 'soak') throw new A2aError({ code: 'BAD_USAGE', why: `there is no mode ${mode}`, hint: 'leave it out, or let it soak' })
  if (!Number.isInteger(messages) || messages < 8) throw new A2aError({ code: 'BAD_USAGE', why: '--messages must be a whole number, 8 or more' })
  const wanted = only.flatMap(names => names.split(','))
  const unknown = wanted.filter(id => !SECTIONS.some(section => section.id === id))
  if (unknown.length > 0) throw new A2aError({ code: 'BAD_USAGE', why: `there is no section ${unknown.join()}`, hint: `there are ${SECTIONS.map(({ id }) => id).join(', ')}` })
  if (rounds !== undefined && (!Number.isInteger(rounds) || rounds < 1)) throw new A2aError({ code: 'BAD_USAGE', why: '--rounds must be a whole number, 1 or more' })
  const sections = mode === 'soak' ? [soak(messages)] : wanted.length === 0 ? SECTIONS : SECTIONS.filter(({ id }) => wanted.includes(id))
  using stop = onStop()
  using line = progressLine(console.live)
  const onProgress = (text: string): void => {
    if (console.live && !/missing:|failed:/.test(text)) line.show(text)
    else line.aside(() => { console.note(text) })
  }
  const command = ['npx a2a-node bench', ...mode === 'soak' ? [`soak --messages ${messages}`] : [], ...only.map(id => `--only ${id}`), ...rounds === undefined ? [] : [`--rounds ${rounds}`], ...quick ? ['--quick'] : []].join(' ')
  const report = await runBench({ sections, rounds, quick, command, signal: stop.signal, onProgress })
  line.clear()
  console.emit(report)
  if (!console.json) print(console, report)
  if (write !== undefined && !report.interrupted) for (const file of writeReport(report, write === true ? 'docs' : write)) console.note(`wrote ${file}`)
  if (report.interrupted) return stop.exitCode()
  return report.failures.some(({ subject }) => subject.startsWith('a2a-node')) ? 1 : 0
}

function print (console: Console, { ratios, tables, missing, failures, unmeasured, machine, versions }: Report): void {
  if (ratios.length > 0) {
    console.print(table(console, ['RATIO', 'MEASURED', 'GOAL', ''], ratios.map(ratio => {
      const met = isMet(ratio)
      return [ratio.what, figure(ratio.value, ratio.unit ?? ''), goal(ratio), met === undefined ? '' : met ? 'reached' : 'NOT REACHED']
    })))
  }
  for (const { title, head, columns, rows } of tables) {
    console.print('')
    console.print(console.style('bold', title))
    console.print(table(console, [head.toUpperCase(), ...columns.map(column => column.title.toUpperCase())], rows.map(({ name, figures }) => [name, ...columns.map(({ key, unit }) => figure(figures[key], unit))])))
  }
  console.print('')
  console.print(facts(console, [
    ...unmeasured.length === 0 ? [] : [['not measured', unmeasured.map(({ title, begun }) => begun ? `${title} (only in part)` : title).join(', ')] as [string, string]],
    ...missing.map(({ subject, get }): [string, string] => ['missing', `${subject}: ${get}`]),
    ...failures.map(({ section, subject, why }): [string, string] => ['failed', `${section}, ${subject}: ${why}`]),
    ['machine', `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, load before ${figure(machine.loadBefore, '')} per core`],
    ['versions', Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(', ')]
  ]))
}
