/** A network of a test's own, in which the defaults (every interface, mDNS) can be tried: nothing leaves it. */
import { execFileSync } from 'node:child_process'

export interface Namespace extends Disposable {
  /** To be put in front of a command. */
  readonly within: string[]
}

/** Two networks with a link between them that can be cut. */
export interface Link extends Disposable {
  readonly ends: ReadonlyArray<{ within: string[], address: string }>
  cut: () => void
  heal: () => void
}

/** Two namespaces joined by a pair of virtual interfaces, or the reason why there can be none here. */
export function createLink (): Link | { skipped: string } {
  const left = createNamespace()
  if ('skipped' in left) return left
  const right = createNamespace()
  if ('skipped' in right) {
    left[Symbol.dispose]()
    return right
  }
  const ends = [left, right].map(({ within }, i) => ({ within, address: `10.77.0.${i + 1}`, name: within.at(-1) as string }))
  const ip = (end: number, ...args: string[]): void => { execFileSync('ip', ['-netns', ends[end]?.name as string, ...args], { stdio: ['ignore', 'ignore', 'pipe'] }) }
  const dispose = (): void => {
    left[Symbol.dispose]()
    right[Symbol.dispose]()
  }
  try {
    ip(0, 'link', 'add', 'link0', 'type', 'veth', 'peer', 'name', 'link0', 'netns', ends[1]?.name as string)
    for (const [i, { address }] of ends.entries()) {
      ip(i, 'address', 'add', `${address}/24`, 'dev', 'link0')
      ip(i, 'link', 'set', 'link0', 'up')
    }
  } catch (error) {
    dispose()
    return { skipped: `no virtual interfaces here: ${error instanceof Error ? error.message.split('\n').at(-2) ?? error.message : error}` }
  }
  return { ends, cut: () => { ip(0, 'link', 'set', 'link0', 'down') }, heal: () => { ip(0, 'link', 'set', 'link0', 'up') }, [Symbol.dispose]: dispose }
}

/** A namespace with loopback only, or the reason why there can be none here. */
export function createNamespace (): Namespace | { skipped: string } {
  const name = `a2a-test-${process.pid}-${Math.floor(Math.random() * 1e6)}`
  const ip = (...args: string[]): void => { execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] }) }
  try {
    ip('netns', 'add', name)
  } catch (error) {
    return { skipped: `no network namespaces here: ${error instanceof Error ? error.message.split('\n').at(-2) ?? error.message : error}` }
  }
  ip('netns', 'exec', name, 'ip', 'link', 'set', 'lo', 'up')
  return {
    within: ['ip', 'netns', 'exec', name],
    [Symbol.dispose]: () => { ip('netns', 'delete', name) }
  }
}
