/** Somebody who comes to a mesh that is there: connects to one of its nodes as a stranger, and asks it. */
import { closedLoop, spreadOf, type Load, type Spread } from '../load.ts'
import { own } from '../subjects/own.ts'
import { selfSigned } from '../tls.ts'
import type { Actor } from '../messages.ts'

export async function newcomer ({ folder }: { folder: string }): Promise<Actor> {
  const tls = selfSigned()
  const come = async (node: unknown): Promise<{ reach: () => Promise<unknown> } & AsyncDisposable> => {
    const stranger = await own.stranger?.(node, { folder, tls, arrived: () => undefined })
    if (stranger === undefined) throw new Error('there are no strangers')
    return stranger
  }
  let staying: Awaited<ReturnType<typeof come>> | undefined
  return {
    /** From no connection to the first answer, one stranger after the other. */
    reach: async ({ node, count }: { node: unknown, count: number }): Promise<Spread> => {
      const took: number[] = []
      for (let i = 0; i < count; i++) {
        await using stranger = await come(node)
        const begun = performance.now()
        await stranger.reach()
        took.push(performance.now() - begun)
      }
      return spreadOf(took)
    },
    stay: async (node: unknown) => {
      staying = await come(node)
      await staying.reach()
    },
    ask: async (load: Load) => await closedLoop(async () => { await staying?.reach() }, load),
    leave: async () => { await staying?.[Symbol.asyncDispose]() }
  }
}
