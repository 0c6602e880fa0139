/** A network of a test's own, in which the defaults (every interface, mDNS) can be tried: nothing leaves it. */
import { execFileSync } from 'node:child_process'

export interface Namespace extends Disposable {
  /** To be put in front of a command. */
  readonly within: string[]
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
