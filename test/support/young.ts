/** V8's young generation, and what makes it grow. Its size outlives a test: what is to begin small has a file of its own. */
import { getHeapSpaceStatistics } from 'node:v8'

/** In bytes, as V8 counts it. */
export const youngBytes = (): number => getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? NaN

/** Much that outlives a collection or two. Takes it beyond 32 MiB where nothing holds it. */
export function churn (each: () => void = () => undefined): void {
  let kept: object[] = []
  for (let i = 0; i < 1_500_000; i++) {
    each()
    kept.push({ i, text: `${i}` })
    if (kept.length === 300_000) kept = []
  }
}
