/** Networks that fall apart and come together, and links that come and go. */
import { shuffled, type Fault } from './fault.ts'
import { createNetwork, type Cut } from './network.ts'

export type Rift = 'halves' | 'bridge' | 'one-way'

/** How long a link is away, and how long something else lasts, in ms. */
interface Times { everyMs: number, eachMs: number }

const both = (some: number[], others: number[]): Cut[] => [...across(some, others), ...across(others, some)]
const across = (from: number[], to: number[]): Cut[] => from.flatMap(a => to.map((b): Cut => [a, b]))

/** Who does not hear whom: two halves; two that one node sees both of; one half that hears the other, and is not heard. */
function riftOf (kind: Rift, count: number): Cut[] {
  const [first = 0, ...others] = shuffled(Array.from({ length: count }, (_, i) => i))
  const all = kind === 'bridge' ? others : [first, ...others]
  const [left, right] = [all.slice(0, Math.floor(all.length / 2)), all.slice(Math.floor(all.length / 2))]
  return kind === 'one-way' ? across(left, right) : both(left, right)
}

/** Each time in another way, of those named, and between others. @throws Unavailable */
export function partitions (kinds: readonly Rift[], count: number, { everyMs, eachMs }: Times): Fault {
  const network = createNetwork(count)
  return {
    place: network.place,
    strike: async ({ pause, hold, cut, healed }) => {
      let times = 0
      while (await pause(Math.max(0, everyMs - eachMs))) {
        network.cut(riftOf(kinds[times++ % kinds.length] as Rift, count))
        cut()
        await hold(eachMs)
        network.cut([])
        healed()
      }
      return times
    },
    close: () => { network[Symbol.dispose]() }
  }
}

/** A link after another, between any two, goes away for half to one and a half of the time, in one direction or in both. @throws Unavailable */
export function links (count: number, { everyMs, eachMs }: Times): Fault {
  const network = createNetwork(count)
  const away = new Map<string, Cut[]>()
  const apply = (): void => { network.cut([...new Map([...away.values()].flat().map(cut => [cut.join(), cut])).values()]) }
  return {
    place: network.place,
    strike: async ({ pause, hold, cut, healed }) => {
      const under: Array<Promise<void>> = []
      cut()
      while (await pause(everyMs)) {
        const [a = 0, b = 0] = shuffled(Array.from({ length: count }, (_, i) => i))
        const key = `${a} ${b} ${under.length}`
        away.set(key, Math.random() < 0.5 ? [[a, b]] : [[a, b], [b, a]])
        apply()
        under.push(hold(eachMs * (0.5 + Math.random())).then(() => {
          away.delete(key)
          apply()
        }))
      }
      await Promise.all(under)
      healed()
      return under.length
    },
    close: () => { network[Symbol.dispose]() }
  }
}
