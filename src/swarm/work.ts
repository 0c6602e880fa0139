/** The small real work of a swarm: each kind makes an input, does it, and is checked by doing it again. */
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'

export interface Work {
  /** Ending of the capabilities that do it. */
  name: string
  input: (random: () => number) => any
  run: (input: any) => unknown
}

const WORDS = ['agent', 'bid', 'contract', 'deadline', 'epoch', 'fence', 'gossip', 'hash', 'index', 'lease', 'mesh', 'node']

const text = (random: () => number): string => Array.from({ length: 20 }, () => WORDS[Math.floor(random() * WORDS.length)]).join(' ')
const numbers = (random: () => number): number[] => Array.from({ length: 50 }, () => Math.floor(random() * 1_000))

export const WORK: readonly Work[] = [
  { name: 'words.count', input: text, run: (input: string) => input.split(' ').reduce<Record<string, number>>((counts, word) => ({ ...counts, [word]: (counts[word] ?? 0) + 1 }), {}) },
  { name: 'numbers.stats', input: numbers, run: (input: number[]) => ({ min: Math.min(...input), max: Math.max(...input), mean: input.reduce((sum, value) => sum + value, 0) / input.length }) },
  { name: 'numbers.sort', input: numbers, run: (input: number[]) => input.toSorted((a, b) => a - b) },
  { name: 'text.reverse', input: text, run: (input: string) => [...input].toReversed().join('') },
  { name: 'text.hash', input: text, run: (input: string) => createHash('sha256').update(input).digest('hex') },
  { name: 'numbers.unique', input: numbers, run: (input: number[]) => [...new Set(input)] }
]

/** The work behind `books.words.count`. */
export const workOf = (capability: string): Work => {
  const found = WORK.find(({ name }) => capability.endsWith(`.${name}`))
  if (found === undefined) throw new Error(`no work is called ${capability}`)
  return found
}

/** Whether `output` is what the work makes of `input`. */
export const isRight = (capability: string, input: unknown, output: unknown): boolean =>
  isDeepStrictEqual(JSON.parse(JSON.stringify(workOf(capability).run(input))), output)
