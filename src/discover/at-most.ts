import type { Clock } from '../core/ports.ts'

/** Waits for it no longer than `ms`. */
export async function atMost (clock: Clock, ms: number, done: Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<void>()
  const cancel = clock.after(ms, late.resolve)
  await Promise.race([done, late.promise]).finally(cancel)
}
