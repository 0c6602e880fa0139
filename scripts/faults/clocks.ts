/** Clocks that are set while processes run, by libfaketime. Monotonic clocks, timers and the times of files stay true. */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { shuffled, type Fault } from './fault.ts'
import { Unavailable } from './network.ts'

/** What clocks are set to, beside true time, in seconds. */
const JUMPS = [-3_600, 86_400]

/** Where a distribution puts it: /usr/lib/<architecture>/faketime. */
function findLibrary (): string | undefined {
  const folders = ['/usr/lib', ...(existsSync('/usr/lib') ? readdirSync('/usr/lib').map(name => join('/usr/lib', name)) : []), '/usr/local/lib']
  return folders.map(folder => join(folder, 'faketime/libfaketime.so.1')).find(file => existsSync(file))
}

/** One after another has its clock set an hour back or a day ahead, in turns, and right again after a while. @throws Unavailable */
export function clocks (count: number, { everyMs, eachMs }: { everyMs: number, eachMs: number }): Fault {
  const library = findLibrary()
  if (library === undefined) throw new Unavailable('libfaketime is not installed')
  const folder = mkdtempSync(join(tmpdir(), 'a2a-clocks-'))
  const fileOf = (number: number): string => join(folder, String(number))
  const set = (number: number, seconds: number): void => { writeFileSync(fileOf(number), `${seconds < 0 ? '' : '+'}${seconds}\n`) }
  for (let number = 0; number < count; number++) set(number, 0)
  return {
    place: number => ({
      within: [], listen: '/ip4/127.0.0.1/tcp/0', bootstrap: [],
      env: { LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: fileOf(number), FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1', DONT_FAKE_MONOTONIC: '1', NO_FAKE_STAT: '1' }
    }),
    strike: async ({ pause, hold }) => {
      const wrong = new Set<number>()
      const under: Array<Promise<void>> = []
      while (await pause(everyMs)) {
        const number = shuffled(Array.from({ length: count }, (_, i) => i)).find(number => !wrong.has(number))
        if (number === undefined) continue
        wrong.add(number)
        set(number, JUMPS[under.length % JUMPS.length] as number)
        under.push(hold(eachMs).then(() => {
          set(number, 0)
          wrong.delete(number)
        }))
      }
      await Promise.all(under)
      return under.length
    },
    setsClocks: true,
    close: pids => {
      rmSync(folder, { recursive: true, force: true })
      // What libfaketime leaves behind of processes that do not end by returning.
      for (const pid of pids) for (const name of [`faketime_shm_${pid}`, `sem.faketime_sem_${pid}`]) rmSync(join('/dev/shm', name), { force: true })
    }
  }
}
