/** Enters faults into the timeline of a run: each begins, and ends, when the list says so. */
import { createLiar } from './liar.ts'
import { peerIdOf, type Host, type World } from './host.ts'
import type { Fault } from './faults.ts'

export interface Disturbed {
  /** Whether handlers are struck at the moment, and how often. */
  handlerFaults: () => number[]
}

/** @param hosts those of the run; faults of others are passed over */
export function disturb (faults: readonly Fault[], hosts: readonly Host[], world: World): Disturbed {
  const { timeline, network, known, history } = world
  const striking = new Set<number>()
  const named = (name: string): Host | undefined => hosts.find(host => host.name === name)

  function begin (fault: Fault): (() => void) | undefined {
    history.note('fault', JSON.stringify(fault))
    switch (fault.kind) {
      case 'drop':
      case 'double':
      case 'delay':
      case 'reorder': return network.begin(fault)
      case 'cut': return network.begin({ ...fault, from: fault.from.map(peerIdOf), to: fault.to.map(peerIdOf) })
      case 'handlers': {
        striking.add(fault.chance)
        return () => { striking.delete(fault.chance) }
      }
      case 'liar':
        known.push(createLiar(fault, world))
        return undefined
      default: {
        const host = named(fault.host)
        return host && beginAt(host, fault)
      }
    }
  }

  function beginAt (host: Host, fault: Extract<Fault, { host: string }>): (() => void) | undefined {
    switch (fault.kind) {
      case 'crash':
        host.crash()
        // Those who had a connection find out that nothing listens there any more.
        for (const [place, name] of fault.noticed.entries()) {
          timeline.after(20 + 40 * place, () => {
            if (!network.alive(host.peer) && !network.apart(peerIdOf(name), host.peer)) named(name)?.peerGone(host.peer)
          })
        }
        return host.boot
      case 'freeze':
        host.freeze()
        return host.thaw
      case 'clock':
        host.setClock(fault.ms)
        return undefined
      default: {
        const note = (): void => { if (fault.kind === 'disk-fails') history.observe({ at: timeline.now(), host: host.name, what: host.disk.fails() ? 'disk failing' : 'disk well' }) }
        const stop = host.disk.begin(fault)
        note()
        return () => {
          stop()
          note()
        }
      }
    }
  }

  for (const fault of faults) {
    // At the start itself there is nothing yet that it could meet: clocks differ and liars are there from the beginning.
    const run = (): void => {
      const end = begin(fault)
      if (end !== undefined && 'forMs' in fault) timeline.after(fault.forMs, end)
    }
    if (fault.at === 0) run()
    else timeline.after(fault.at, run)
  }
  return { handlerFaults: () => [...striking] }
}
