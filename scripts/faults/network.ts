/**
 * A network of a run's own: a namespace for each process, all joined by a bridge in another. What goes over the bridge can be cut
 * for each pair and direction. Nothing outside of it is touched, and it is gone when it is closed.
 */
import { execFileSync } from 'node:child_process'
import type { Place } from './fault.ts'

/** Who is not heard by whom, by number. */
export type Cut = [from: number, to: number]

export interface Network extends Disposable {
  place: (number: number) => Place
  /** These and no others are cut from now on. */
  cut: (cuts: readonly Cut[]) => void
}

/** Nodes of namespaces have a port of their own each, so this is free. */
const PORT = 4_001
/** Who comes is told of these. */
const SEEDS = 2

/** Why something cannot be tried on this machine. */
export class Unavailable extends Error {}

const run = (command: string, args: string[], input?: string): string => {
  try {
    return execFileSync(command, args, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'], timeout: 10_000 })
  } catch (error) {
    const { stderr = '', message } = error as Error & { stderr?: string }
    throw new Unavailable(`${command} ${args.slice(0, 3).join(' ')}: ${stderr.trim().split('\n').at(-1) || message}`)
  }
}

/** Addresses of so many namespaces: of a net that is for private use, and here for nobody else. */
export const addressOf = (number: number): string => `10.78.${Math.floor(number / 250)}.${number % 250 + 1}`

/**
 * Namespaces with nothing but loopback, `name` and a number each.
 * @throws Unavailable when this machine or user may not make them
 */
export function createNamespaces (count: number): { names: string[] } & Disposable {
  const names: string[] = []
  const dispose = (): void => { for (const name of names.splice(0)) run('ip', ['netns', 'delete', name]) }
  try {
    for (let i = 0; i < count; i++) {
      const name = `a2a-faults-${process.pid}-${i}`
      run('ip', ['netns', 'add', name])
      names.push(name)
      run('ip', ['-netns', name, 'link', 'set', 'lo', 'up'])
    }
  } catch (error) {
    dispose()
    throw error
  }
  return { names, [Symbol.dispose]: dispose }
}

/** A process in a namespace listens at its address, and is told of the first few. */
export const placeIn = (name: string, number: number): Place => ({
  within: ['ip', 'netns', 'exec', name],
  listen: `/ip4/${addressOf(number)}/tcp/${PORT}`,
  bootstrap: Array.from({ length: SEEDS }, (_, seed) => seed).filter(seed => seed !== number).map(seed => `/ip4/${addressOf(seed)}/tcp/${PORT}`),
  env: {}
})

/** @throws Unavailable */
export function createNetwork (count: number): Network {
  const { names, [Symbol.dispose]: dispose } = createNamespaces(count + 1)
  const [hub = '', ...ends] = names
  const nft = (commands: string): void => { run('ip', ['netns', 'exec', hub, 'nft', '-f', '-'], commands) }
  try {
    run('ip', ['-netns', hub, 'link', 'add', 'bridge0', 'type', 'bridge'])
    run('ip', ['-netns', hub, 'link', 'set', 'bridge0', 'up'])
    for (const [i, end] of ends.entries()) {
      run('ip', ['-netns', hub, 'link', 'add', `v${i}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', end])
      run('ip', ['-netns', hub, 'link', 'set', `v${i}`, 'master', 'bridge0', 'up'])
      run('ip', ['-netns', end, 'address', 'add', `${addressOf(i)}/16`, 'dev', 'eth0'])
      run('ip', ['-netns', end, 'link', 'set', 'eth0', 'up'])
    }
    nft(`table bridge cuts {
      set pairs { type ifname . ifname; }
      chain forward { type filter hook forward priority 0; policy accept; iifname . oifname @pairs drop; }
    }`)
  } catch (error) {
    dispose()
    throw error
  }
  return {
    place: number => placeIn(ends[number] as string, number),
    cut: cuts => {
      const pairs = cuts.map(([from, to]) => `"v${from}" . "v${to}"`)
      // One transaction: nobody sees it half done.
      nft(`flush set bridge cuts pairs\n${pairs.length === 0 ? '' : `add element bridge cuts pairs { ${pairs.join(', ')} }\n`}`)
    },
    [Symbol.dispose]: dispose
  }
}
