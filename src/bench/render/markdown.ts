/** docs/benchmarks.md: everything in it comes from the report. */
import { isMet, type Report, type Table } from '../report.ts'
import { figure, goal } from './figure.ts'

/** The page; `charts` are the ids of tables that have a picture in `benchmarks/`. */
export function markdownOf (report: Report, charts: readonly string[]): string {
  const parts = [
    '# Benchmarks',
    `Written by \`${report.command}\`; do not edit. Ratios come first, since they hold on other machines too: each is the median of its ${report.rounds} rounds, in which all subjects took turns.`,
    ...report.quick ? ['**This was a quick run**: it shows that the bench works, and no more.'] : [],
    ...report.machine.loadBefore > 0.2 ? [`The machine was busy before the run (load ${figure(report.machine.loadBefore, '')} per core): absolute figures are worse than they could be.`] : [],
    ratios(report),
    ...report.missing.map(({ subject, get }) => `${subject} was not measured. Missing: ${get}`),
    ...report.sections.flatMap(section => {
      const tables = report.tables.filter(table => table.section === section.id)
      return tables.length === 0 ? [] : [`## ${section.title}`, ...tables.flatMap(table => show(table, charts.includes(table.id)))]
    }),
    ...failures(report),
    ground(report)
  ]
  return `${parts.filter(part => part !== '').join('\n\n')}\n`
}

const ratios = ({ ratios }: Report): string => ratios.length === 0
  ? ''
  : grid(['ratio', 'measured', 'goal', ''], ratios.map(ratio => [ratio.what, `**${figure(ratio.value, ratio.unit ?? '')}**`, goal(ratio), met(isMet(ratio))]))

const met = (reached: boolean | undefined): string => reached === undefined ? '' : reached ? 'reached' : 'not reached'

const show = (table: Table, drawn: boolean): string[] => [
  `### ${table.title}`,
  ...drawn ? [`![${table.title}](benchmarks/${table.id}.svg)`] : [],
  grid([table.head, ...table.columns.map(({ title }) => title)], table.rows.map(({ name, figures }) => [name, ...table.columns.map(({ key, unit }) => figure(figures[key], unit))])),
  ...table.notes
]

const failures = ({ failures }: Report): string[] => failures.length === 0
  ? []
  : ['## What failed', grid(['section', 'subject', 'why'], failures.map(({ section, subject, why }) => [section, subject, why.replaceAll('|', '\\|').replaceAll('\n', ' ')]))]

const ground = ({ at, machine, versions, command, rounds }: Report): string => [
  '## Machine, versions, command',
  grid(['', ''], [
    ['command', `\`${command}\``],
    ['when', at],
    ['rounds', String(rounds)],
    ['machine', `${machine.cpu}, ${machine.cores} cores, ${figure(machine.memoryBytes / 2 ** 30, '')} GiB`],
    ['system', `${machine.os}, Node ${machine.node}`],
    ['load before', `${figure(machine.loadBefore, '')} per core`],
    ['versions', Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(', ')]
  ])
].join('\n\n')

const grid = (heads: string[], rows: string[][]): string =>
  [heads, heads.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')
