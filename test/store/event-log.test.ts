import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock as clock } from '../../src/core/clock.ts'
import type { EventLog } from '../../src/core/ports.ts'
import { openEventLog } from '../../src/store/event-log.ts'
import { logKeepsItsPromises } from '../promises/event-log.ts'

logKeepsItsPromises('on disk', async () => {
  const home = await mkdtemp(join(tmpdir(), 'a2a-log-'))
  const logs: EventLog[] = []
  const open = async () => {
    await logs.at(-1)?.close()
    const log = await openEventLog({ file: join(home, 'events.db'), clock })
    logs.push(log)
    return log
  }
  const end = async () => {
    await logs.at(-1)?.close()
    await rm(home, { recursive: true })
  }
  return { log: await open(), reopen: open, end }
})
