/** A process that appends until it is killed, eight at a time, and prints the position of each acknowledged event. */
import { systemClock as clock } from '../../src/core/clock.ts'
import { openEventLog } from '../../src/store/event-log.ts'
import { eventOf, summaryOf } from '../promises/event-log.ts'

const [file = ''] = process.argv.slice(2)
const log = await openEventLog({ file, clock })
const appendForever = async () => {
  for (;;) console.log((await log.append(eventOf(), summaryOf())).position)
}
await Promise.all(Array.from({ length: 8 }, appendForever))
