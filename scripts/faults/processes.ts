/** Processes that die and come back, and such that sleep. */
import { pick, type Fault, type Poison, type Member, type Scene } from './fault.ts'

/** Nothing goes wrong: what the others are compared with. */
export const calm = (): Fault => ({
  strike: async ({ pause }) => {
    while (await pause(1_000)) continue
    return 0
  }
})

/** One after another is killed with SIGKILL, and started again at once in its home. */
export const killing = ({ everyMs }: { everyMs: number }): Fault => ({
  strike: async scene => await strikeWell(scene, everyMs, async member => {
    scene.note(member, 'down')
    const gone = new Promise(resolve => member.child.once('exit', resolve))
    member.child.kill('SIGKILL')
    await gone
    scene.launch(member)
  })
})

/** One after another is stopped with SIGSTOP in the midst of work that it holds the contract of, and goes on after a while. */
export const stopping = ({ everyMs, eachMs }: { everyMs: number, eachMs: number }): Fault => ({
  strike: async scene => await strikeWell(scene, everyMs, async member => {
    scene.note(member, 'frozen')
    member.stopped = true
    member.child.kill('SIGSTOP')
    await scene.hold(eachMs)
    scene.note(member, 'thawed')
    member.child.kill('SIGCONT')
    member.stopped = false
  }, ({ holding }) => holding.size > 0)
})

/**
 * By turns nothing, and a job that kills whatever handles it until it is given up. The one process that offers to do it is started again
 * each time, as a supervisor does.
 */
export const poisoning = ({ eachMs, kills }: { eachMs: number, kills: Poison['kills'] }): Fault => ({
  poison: number => number === 0 ? { capability: POISON, kills } : undefined,
  strike: async scene => {
    const [victim, asker] = scene.members as [Member, Member]
    let over = false
    let deaths = 0
    const died = (): void => {
      if (over) return
      deaths++
      scene.note(victim, 'down')
      scene.launch(victim)
      victim.child.once('exit', died)
    }
    victim.child.once('exit', died)
    let jobs = 0
    do {
      scene.part('alone')
      if (!await scene.pause(eachMs)) break
      scene.part('beside poison')
      jobs++
      await Promise.all([scene.enqueue(asker, POISON), scene.hold(eachMs)])
    } while (await scene.pause(0))
    over = true
    return kills === 'process' ? deaths : jobs
  }
})

const POISON = 'faults.poison'

async function strikeWell ({ members, pause }: Scene, everyMs: number, strike: (member: Member) => Promise<void>, wanted: (member: Member) => boolean = () => true): Promise<number> {
  const struck: Array<Promise<void>> = []
  while (await pause(everyMs)) {
    const victim = pick(members.filter(member => member.ready && !member.stopped && wanted(member)))
    if (victim !== undefined) struck.push(strike(victim))
  }
  await Promise.all(struck)
  return struck.length
}
