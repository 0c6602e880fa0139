/** The owner's own check of an output, before it is countersigned as accepted. It is not our code, and may take its time. */
import { messageOf } from '../core/errors.ts'
import type { SlaOptions } from '../core/agent.ts'
import type { Clock } from '../core/ports.ts'

/** How long a check may take, in ms: less than a provider waits for the countersignature. */
const CHECK_MS = 8_000
/** While it goes on the lease is renewed this often within its time: its provider has nothing more to say. */
const RENEWALS_PER_LEASE = 3

export interface Checking {
  clock: Clock
  leaseMs: number
  /** Renews the lease. */
  renew: () => void
}

/** What is wrong with an output. `undefined`: nothing. What is thrown, or takes too long, is not right either. */
export async function checkQuality (check: NonNullable<SlaOptions['check']>, output: unknown, { clock, leaseMs, renew }: Checking): Promise<string | undefined> {
  const late = Promise.withResolvers<string>()
  const stopWaiting = clock.after(CHECK_MS, () => { late.resolve(`its check was not done after ${CHECK_MS} ms`) })
  let stopRenewing = (): void => {}
  const renewLater = (): void => {
    stopRenewing = clock.after(leaseMs / RENEWALS_PER_LEASE, () => {
      renew()
      renewLater()
    })
  }
  renew()
  renewLater()
  try {
    return await Promise.race([(async () => await check(output))(), late.promise])
  } catch (error) {
    return `its check failed: ${messageOf(error)}`
  } finally {
    stopWaiting()
    stopRenewing()
  }
}
