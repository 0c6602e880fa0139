/**
 * A process that writes to a log, one thing after the other, and says in a file what was acknowledged: what is to be there
 * after whatever happens to the disk. Ends by itself after so many rounds, without closing the log.
 */
import { openSync, writeSync } from 'node:fs'
import { systemClock as clock } from '../../src/core/clock.ts'
import { openEventLog } from '../../src/store/event-log.ts'
import { eventOf, summaryOf } from '../promises/event-log.ts'

const [file = '', acknowledged = '', rounds = ''] = process.argv.slice(2)
const acks = openSync(acknowledged, 'a')
const acknowledge = (what: object): void => { writeSync(acks, `${JSON.stringify(what)}\n`) }
const log = await openEventLog({ file, clock })

for (let n = 1; n <= Number(rounds); n++) {
  const data = `${n} ${'x'.repeat(n * 613 % 5_000)}`
  const events = await Promise.all(Array.from({ length: n % 3 + 1 }, () => log.append(eventOf({ taskId: `task-${n * 7_919 % 1_009}`, data }), summaryOf())))
  for (const { position } of events) acknowledge({ position, data })
  if (n % 5 === 0) {
    await log.values.set(`key-${n % 17}`, Buffer.from(String(n)))
    acknowledge({ key: `key-${n % 17}`, n })
  }
  if (n % 7 === 0) {
    const hash = new Uint8Array(32).fill(n)
    await log.chain.append({ agent: 'did:key:zA', taskId: `task-${n}`, epoch: 1, at: n, previous: log.chain.head('did:key:zA'), hash, statement: Buffer.from(data) })
    acknowledge({ receipt: n })
  }
}
process.exit(0)
