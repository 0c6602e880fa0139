/** What a run must keep, whatever goes wrong in it. docs/simulator.md has this list. */
export const PROMISES = {
  'kept': 'A task that was acknowledged is on its owner\'s disk.',
  'ends': 'Each task ends, with a result or a failure, and nothing follows its end.',
  'in-time': 'It ends by its deadline, or as soon after it as its host could work and write.',
  'not-early': 'It fails with DEADLINE_EXCEEDED at its deadline and not before, whatever is done to clocks.',
  'must': 'A task that is asked when all is well ends with a result.',
  'one-holder': 'An epoch is awarded to one provider, and each award raises it by one.',
  'no-second-chance': 'Who lost a task for silence, failure or breach is not awarded it again.',
  'in-budget': 'Nobody is awarded a task for more than its budget, nor paid more than its newest bid.',
  'fair': 'An honest provider never loses a task for what it says; only for silence, slowness, or what its handler does.',
  'fenced': 'What is said under a contract is applied only from the holder of the present epoch.',
  'one-result': 'One result of a task is countersigned, that of the holder, and it is the one that its owner has.',
  'run-once': 'A provider runs a task once in an epoch, and never twice at once.',
  'disk-first': 'Awards, countersignatures, runs and deliveries wait for the commit of what they follow from.',
  'settled': 'An honest provider whose result was taken gets its countersignature.',
  'told-as-logged': 'Owners are told what the log says, in its order, by every process that tells them.',
  'chain': 'Each receipt follows the one before in its agent\'s chain, and a contract is settled once at each end.',
  'own': 'What `check` of the test itself demands.'
} as const

export type PromiseName = keyof typeof PROMISES

/** A promise that was not kept. */
export interface Broken {
  promise: PromiseName
  /** The task, and what happened. */
  why: string
}
