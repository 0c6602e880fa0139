import type { Outcome } from './judge.ts'
import type { Spread } from './spread.ts'

const spread = ({ count, p50, p99, most }: Spread): string => `${count} times, p50 ${p50}, p99 ${p99}, most ${most} ms`

const counts = (of: Record<string, number>): string => Object.entries(of).map(([what, count]) => `${what} ${count}`).join(', ')

/** What is said of a run: always the promises, and of the rest what there was. */
export function linesOf ({ faults, tasks, acknowledged, lost, ends, moves, movedFor, doubled, repeated, wasted, resumed, taskMs, parts, awardMs, acceptMs, healMs, stuck, standby, jobs, broken }: Outcome): string[] {
  const rows: Array<[what: string, figures: string, told?: boolean]> = [
    ['faults', `${faults}`],
    ['tasks asked for, acknowledged', `${tasks}, ${acknowledged}`],
    ['ended with', counts(ends)],
    ['acknowledged and lost', `${lost}`],
    ['results taken twice', `${doubled}`],
    ['contracts worked on twice', `${repeated}`],
    ['stuck 30 s after healing', `${stuck}`],
    ['open at healing, ended after it', spread(healMs), healMs.count > 0],
    ['awarded again', `${moves}, work done for nothing ${wasted}`],
    ['contracts ended by', counts(movedFor), moves > 0],
    ['went on after its provider fell', spread(resumed.provider), resumed.provider.count > 0],
    ['and after its requester fell', spread(resumed.requester), resumed.requester.count > 0],
    ['holders stopped at work', `${standby.held}, of which nobody stood by ${standby.announced}, and the next was stopped too or did not begin ${standby.nextStopped}`, standby.held > 0],
    ['standby began after lease\'s end', spread(standby.afterLeaseMs), standby.held > 0],
    ['and after the stop', spread(standby.afterStopMs), standby.held > 0],
    ['work done too late', `${standby.late}; such results refused ${standby.fenced}, taken ${standby.taken}`],
    ['jobs queued, settled, dead', `${jobs.enqueued}, ${jobs.settled}, ${jobs.dead}; lost ${jobs.lost}, dead or expired too early ${jobs.early}`, jobs.enqueued > 0],
    ['attempts of the dead', `${Math.min(...jobs.attempts)} to ${Math.max(...jobs.attempts)}`, jobs.dead > 0],
    ['asked until awarded', spread(awardMs)],
    ['asked until accepted', spread(acceptMs)],
    ['tasks took', spread(taskMs)],
    ...Object.entries(parts).map(([name, took]): [string, string] => [name, spread(took)]),
    ['promises broken', `${broken.length}`]
  ]
  return [
    ...rows.flatMap(([what, figures, told = true]) => told ? [`${what.padEnd(31)} ${figures}`] : []),
    ...broken.slice(0, 20).map(({ promise, why }) => `  ${promise}: ${why}`)
  ]
}
