/** A wide-area network: each process in a namespace of its own, and between any two of them wan.py delays, loses, doubles and reorders packets. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { addressOf, createNamespaces, placeIn, Unavailable } from './network.ts'
import type { Fault } from './fault.ts'

export interface Road {
  /** Milliseconds there and back. */
  rttMs: number
  /** Shares of packets, 0 to 1. */
  loss: number
  double: number
  reorder: number
}

/** Until all devices are there, in ms. */
const READY_MS = 10_000

/** @throws Unavailable */
export async function wan (count: number, road: Road): Promise<Fault> {
  const { names, [Symbol.dispose]: dispose } = createNamespaces(count)
  try {
    const carrier = await carry(names, road)
    return {
      place: number => placeIn(names[number] as string, number),
      strike: async ({ pause }) => {
        while (await pause(1_000)) if (carrier.exitCode !== null) throw new Error('the network ended by itself')
        return 0
      },
      close: () => {
        carrier.kill('SIGKILL')
        dispose()
      }
    }
  } catch (error) {
    dispose()
    throw error
  }
}

async function carry (names: string[], { rttMs, loss, double, reorder }: Road): Promise<ChildProcess> {
  const ends = names.map((name, i) => `${name}=${addressOf(i)}`)
  const child = spawn('python3', [join(import.meta.dirname, 'wan.py'), '--delay-ms', String(rttMs / 2), '--loss', String(loss), '--double', String(double), '--reorder', String(reorder), ...ends], { stdio: ['pipe', 'pipe', 'pipe'] })
  let why = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => { why = (why + text).slice(-2_000) })
  const ready = once(createInterface({ input: child.stdout }), 'line', { signal: AbortSignal.timeout(READY_MS) })
  const ended = once(child, 'close').then(() => { throw new Unavailable(`python3 cannot make the network: ${why.trim().split('\n').at(-1)}`) }, (error: Error) => { throw new Unavailable(`python3 cannot be run: ${error.message}`) })
  ready.catch(() => undefined)
  ended.catch(() => undefined)
  try {
    await Promise.race([ready, ended])
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
  return child
}
