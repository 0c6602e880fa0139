/** Idempotency keys: which job a key stands for, for as long as it is open, and for a while after it has ended. */
import { QUEUE } from './limits.ts'
import { hashOf } from '../wire/hash.ts'
import type { Clock, EventLog } from '../core/ports.ts'

export interface Keys {
  /** The job of this key: the one there is, or `jobId`, which `make` has put into the queue. Of several calls at once one makes it. */
  jobOf: (key: string, jobId: string, make: () => Promise<void>) => Promise<string>
  /** Forgets the keys whose time is over. */
  prune: () => void
}

export function createKeys ({ agentId, log, clock }: { agentId: string, log: EventLog, clock: Clock }): Keys {
  const prefix = `job-key/${agentId}/`
  const making = new Map<string, Promise<string>>()

  /** A key whose job is not in the log was never acknowledged. */
  const isKept = (jobId: string): boolean => {
    const row = log.task('job', jobId)
    return row !== undefined && (!row.ended || clock.now() < row.updatedAt + QUEUE.horizonMs)
  }

  const read = (value: Uint8Array | undefined): string | undefined => value && Buffer.from(value).toString()

  return {
    jobOf: async (key, jobId, make) => {
      const place = prefix + hashOf(Buffer.from(key))
      const underWay = making.get(place)
      if (underWay !== undefined) return await underWay
      const known = read(log.values.get(place))
      if (known !== undefined && isKept(known)) return known
      // The key first: a crash between the two leaves one of a job that never was.
      const made = log.values.set(place, Buffer.from(jobId)).then(make).then(() => jobId)
      making.set(place, made)
      return await made.finally(() => { making.delete(place) })
    },
    prune: () => {
      for (const [place, value] of log.values.list(prefix)) {
        if (!isKept(read(value) ?? '')) log.values.delete(place).catch(() => {})
      }
    }
  }
}
