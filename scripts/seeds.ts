/** Runs many seeds of the simulator, on several threads: for scripts/sim.ts and the tests. */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { simulate, type Run, type SimulationOptions } from '../src/testing/index.ts'

/** What of a run is told to others. */
export type SeedRun = Pick<Run, 'seed' | 'broken' | 'ends'>

interface Share { first: number, count: number, step: number, faults: SimulationOptions['faults'] }

/** Resolves when all have run; `onRun` is told of each, in no order. */
export async function runSeeds ({ first, count, faults, threads, onRun }: { first: number, count: number, threads: number, faults?: SimulationOptions['faults'], onRun: (run: SeedRun) => void }): Promise<void> {
  if (threads <= 1) return await runShare({ first, count, faults, step: 1 }, onRun)
  await Promise.all(Array.from({ length: threads }, async (_none, place) => {
    const share: Share = { first: first + place, count: Math.ceil((count - place) / threads), step: threads, faults }
    const worker = new Worker(new URL(import.meta.url), { workerData: { seeds: share } })
    worker.on('message', onRun)
    await new Promise<void>((resolve, reject) => {
      worker.on('error', reject)
      worker.on('exit', code => { if (code === 0) resolve(); else reject(new Error(`a thread with seeds ended with ${code}`)) })
    })
  }))
}

async function runShare ({ first, count, step, faults }: Share, onRun: (run: SeedRun) => void): Promise<void> {
  for (let n = 0; n < count; n++) {
    const { seed, broken, ends } = await simulate({ seed: first + n * step, faults })
    onRun({ seed, broken, ends })
  }
}

const mine = (workerData as { seeds?: Share } | null)?.seeds
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin
if (!isMainThread && mine !== undefined) await runShare(mine, run => { parentPort?.postMessage(run) })
