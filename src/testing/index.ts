/**
 * The simulator: real ends of negotiation in virtual time, under every fault, checked from outside.
 *
 * ```ts
 * import { simulate } from 'a2a-node/testing'
 * const { broken, lines } = await simulate({ seed: 42 })
 * ```
 */
export { check, type Remains } from './checker.ts'
export { evidenceOf, type Evidence, type Witness } from './evidence.ts'
export type { History, Observation } from './history.ts'
export type { Plants } from './host.ts'
export { createRandom, type Random } from './random.ts'
export { replay, simulate, type Faults, type Run, type SimulationOptions } from './simulator.ts'
export { createTimeline, type Timeline } from './timeline.ts'
