/**
 * The simulator: agents on real ends of negotiation in virtual time, under every fault, checked from outside. See
 * docs/simulator.md.
 *
 * ```ts
 * import { simulate } from 'a2a-node/testing'
 * const { broken, lines } = await simulate({ seed: 42 })
 * ```
 */
export type { BuildAgent, SimulatedAgent, Surroundings } from './agents.ts'
export { check } from './checker.ts'
export { evidenceOf, type Evidence, type Witness } from './evidence.ts'
export { ALL_FAULTS, NO_FAULTS, LIES, type Fault, type Intensities, type Lie } from './faults.ts'
export type { Observation } from './history.ts'
export type { Remains, TaskOutcome } from './outcomes.ts'
export { PROMISES, type Broken, type PromiseName } from './promises.ts'
export { createRandom, type Random } from './random.ts'
export type { PlannedTask, Schedule } from './schedule.ts'
export { shrink, type Shrunk } from './shrink.ts'
export { replay, scheduleOf, simulate, type Outcome, type Run, type SimulationOptions } from './simulator.ts'
export { createTimeline, type Timeline } from './timeline.ts'
