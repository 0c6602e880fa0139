/** The library's face: what `createAgent` gives. Types only; agent.ts and node.ts make them true. */
import type { JsonSchema } from './capability.ts'
import type { ReceiveContent, SendContent } from './content.ts'
import type { CounterOffer } from './counter.ts'
import type { AgentChange, WatchOptions } from './found.ts'
import type { Node } from './node.ts'
import type { PolicyName } from './policy.ts'
import type { AgentCost, AgentMetrics, Interaction } from './ports.ts'
import type { DeadLetters, EnqueueOptions, Job } from './queue.ts'
import type { RankingPolicy } from './ranking.ts'
import type { ContractTerms, SlaTerms } from './sla.ts'
import type { Bid, ReceiptFacts, TaskEvent, TaskSpec } from './task.ts'

export interface Agent extends AsyncDisposable {
  /** `did:key:z6Mk…`: who it is, for as long as its key file lasts. */
  readonly id: string
  readonly name: string
  readonly node: Node
  /**
   * Offers a capability. Others find it within moments.
   * @throws A2aError CAPABILITY_INVALID, BAD_USAGE when it is offered already or a schema is none
   */
  provide: <I = unknown, O = unknown>(capability: string, definition: Provision<I, O>) => Promise<Provided>
  /**
   * Who offers a capability or all below a prefix (`data.*`): each agent there is now, as `found`, and then each change as it
   * is heard. A slow reader gets the latest of each agent. Ends with the node, when the signal aborts, and by leaving the loop.
   * @throws A2aError CAPABILITY_INVALID
   */
  watch: (pattern: string, options?: WatchOptions) => AsyncIterableIterator<AgentChange>
  /** Has a task done by whoever bids best. Starts at once; nothing needs to be awaited for it to go on. */
  delegate: (capability: string, input: unknown, options?: DelegateOptions) => Work
  /**
   * The events of a task that this agent asked for, in this process or an earlier one, or of a job in its queue: those after a number,
   * and on until the last, which is `result` or `failed`. Each `seq` comes once and in order, and is the same for every reader; a slow one
   * holds nobody up. Ends without a word when there is nothing after that number, and when the signal aborts; leaving the loop leaves the task alone.
   * @throws A2aError TASK_UNKNOWN, also for one that has left the log; BAD_USAGE when `after` is no count
   */
  attach: (taskId: string, options?: AttachOptions) => AsyncIterableIterator<TaskEvent>
  /**
   * Puts a job into the background queue. Resolves when it is on disk: from then on it is attempted until it is done, it
   * expires, or it is a dead letter, over restarts of this process and of others.
   * @throws A2aError LOG_WRITE_FAILED, and then it is not in the queue; OVERLOADED when too many are; MESSAGE_TOO_LARGE,
   *   CAPABILITY_INVALID, BAD_USAGE, also for a key that another job has used
   */
  enqueue: (capability: string, input: unknown, options?: EnqueueOptions) => Promise<Job>
  /** Jobs that were given up. */
  readonly dead: DeadLetters
  /**
   * Answers requests and messages of a name, such as `price.quote`. Who may send them: everybody when `public`, else nodes
   * of the same user on the same machine. A message's answer is dropped.
   * @throws A2aError BAD_USAGE when the name is answered already
   */
  onRequest: <I = any>(name: string, handler: RequestHandler<I>, options?: { public?: boolean }) => Disposable
  /**
   * Asks another agent, and resolves to its answer. Bodies are JSON values, or a Uint8Array of up to 4 MiB that must not
   * change until the answer is there.
   * @throws A2aError PEER_UNREACHABLE, NO_REPLY, OVERLOADED, REFUSED, NOT_ALLOWED, HANDLER_FAILED, or what the handler threw
   */
  request: <O = any>(to: string, name: string, body?: unknown, options?: RequestOptions) => Promise<O>
  /** Tells another agent something that wants no answer. Resolves when it is on its way: awaiting it is the backpressure. @throws A2aError PEER_UNREACHABLE, OVERLOADED */
  tell: (to: string, name: string, body?: unknown, options?: TellOptions) => Promise<void>
  /**
   * Takes dialogues of a name: messages both ways, for as long as both like. The handler runs once for each. When it returns,
   * nothing more is said here and what was not read is thrown away, so that the other side's `send` rejects; when it throws,
   * the other side hears of it after everything that was sent before. Disposing of it takes no new ones.
   * @throws A2aError BAD_USAGE when the name is none or taken, or a schema is none
   */
  onDialogue: <Receives = unknown, Sends = unknown>(name: string, handler: (dialogue: Dialogue<Receives, Sends>) => void | Promise<void>, options?: DialogueTerms) => Promise<TakenName>
  /**
   * Opens a dialogue with one agent; resolves when it was taken there.
   * @param to its DID
   * @throws A2aError NOT_ALLOWED, REFUSED when nothing there takes this name, PEER_UNREACHABLE, NO_REPLY, OVERLOADED,
   *   BAD_USAGE and MESSAGE_TOO_LARGE about `data`; the signal's reason
   */
  dialogue: <Sends = unknown, Receives = unknown>(to: string, name: string, options?: DialogueOptions) => Promise<Dialogue<Receives, Sends>>
  /** Offers bytes of any length to whoever gets the ref. */
  send: SendContent
  /** Fetches what a ref names. */
  receive: ReceiveContent
  metrics: () => AgentMetrics[]
  /** What was paid and earned, by capability and counterpart, the dearest first. Default limit 20. */
  costs: (limit?: number) => AgentCost[]
  /** The newest first; the last 1,000 at most. */
  interactions: (limit?: number) => Interaction[]
}

export interface AttachOptions {
  /** The `seq` of the last event that is known already. Default 0: from the first on. */
  after?: number
  /** Ends the reading, not the task. */
  signal?: AbortSignal
}

export type RequestHandler<I = any> = (body: I, context: RequestContext) => unknown

export interface RequestContext {
  /** The agent that asks. */
  readonly from: string
  /** Milliseconds that it still waits. */
  remainingMs: () => number
  /** Aborts when whoever asked gives up, or has waited long enough. */
  readonly signal: AbortSignal
}

export interface TellOptions {
  signal?: AbortSignal
  /** How long it may wait for the connection and for the transport, in ms. Default 5,000. */
  timeoutMs?: number
  /** `low` leaves after everything else for the same node. Default `normal`. */
  priority?: 'normal' | 'low'
}

export interface RequestOptions extends TellOptions {
  /** How long to wait for the answer, in ms. Default 30,000. */
  timeoutMs?: number
  /** Doing it twice does no harm: it is sent again, until the time is over, when the connection breaks. Default false. */
  idempotent?: boolean
}

export interface Provision<I = unknown, O = unknown> {
  description?: string
  /** JSON Schemas. Input is checked before `run`, output after it. */
  input?: JsonSchema
  output?: JsonSchema
  mediaTypes?: string[]
  /** Anybody on the mesh may call it. Default: only nodes of the same user on the same machine. */
  public?: boolean
  priceHint?: number
  /** How many may run at once. Default 16. */
  maxConcurrent?: number
  /**
   * How many more may be accepted and wait for one of those to end, their leases kept. Bids made meanwhile promise the time with
   * the wait in it; calls beyond that are passed on to others. Default 4.
   */
  queue?: number
  /** What `run` cannot do without, by the names it gives to `guard`: while the breaker of one is open, no bid is made. */
  dependsOn?: string[]
  /** What it offers for a call. `undefined`: no bid. Default: cost = priceHint or 0, confidence 0.5, no promise of time. */
  bid?: (call: Call, load: number) => Offer | undefined | Promise<Offer | undefined>
  /**
   * What it says to a requester that asks for other terms than it has bid, twice at most for one call. `undefined`: its bid stands.
   * Default: it takes terms that are no worse for it, and keeps its bid otherwise. The time that was bid has the expected wait in it.
   */
  onCounter?: (call: Call, counter: CounterCall) => Offer | undefined | Promise<Offer | undefined>
  run: (input: I, context: HandlerContext) => O | Promise<O>
}

export interface Provided extends AsyncDisposable {
  readonly capability: string
}

export interface TakenName extends AsyncDisposable {
  readonly name: string
}

/** What a dialogue is for its handler. */
export interface DialogueTerms {
  /** Anybody on the mesh may open it. Default: only nodes of the same user on the same machine. */
  public?: boolean
  /** JSON Schema of what the handler receives. A message that does not fit ends the dialogue with INPUT_INVALID, at both sides. */
  receives?: JsonSchema
  /** JSON Schema of what the handler sends. A message that does not fit is not sent: `send` rejects with OUTPUT_INVALID. */
  sends?: JsonSchema
}

export interface DialogueOptions {
  /** For the handler, with the opening: a JSON value or bytes, at most 64 KiB. */
  data?: unknown
  /** For everything until it is taken, in ms. Default 5,000. */
  timeoutMs?: number
  /** Gives up the opening, and cancels the dialogue later. */
  signal?: AbortSignal
}

/**
 * One end of a dialogue. Messages are JSON values or `Uint8Array`s of at most 4 MiB. All that one side sent comes out at
 * the other in its order and once, or the dialogue fails there; iterating ends without an error only when the other side
 * said that it has ended. All iterations share what comes in. Leaving one early (`break`) reads no more: the other
 * side's `send` rejects. Disposing of it says and reads no more, and waits until the other side has it all.
 */
export interface Dialogue<Receives = unknown, Sends = unknown> extends AsyncIterable<Receives>, AsyncDisposable {
  /** ULID, the same at both ends. */
  readonly id: string
  readonly name: string
  /** DID of the agent at the other end. */
  readonly with: string
  /** What its opener gave along. */
  readonly data: unknown
  /** Aborted when it is over: both have ended and all was read, or it failed or was cancelled; the reason is the A2aError. */
  readonly signal: AbortSignal
  /**
   * Resolves when the message is on its way and another may be sent: awaiting it is the backpressure.
   * @throws A2aError MESSAGE_TOO_LARGE, BAD_USAGE, OUTPUT_INVALID: it was not sent, and the dialogue goes on. CANCELLED when
   *   the other side reads no more. OVERLOADED when more than 8 MiB wait, which ends the dialogue; and what else ended it
   */
  send: (message: Sends) => Promise<void>
  /** We say no more; reading goes on. Resolves when all that was sent before is on its way. */
  end: () => Promise<void>
  /** Ends both ways at once, here and there with CANCELLED; what was not read is thrown away. Resolves when the other side knows, or after 2 s. */
  cancel: (why?: string) => Promise<void>
}

/** What a bidder knows of a task: its needs, not its payload. */
export interface Call {
  taskId: string
  capability: string
  requester: string
  inputBytes: number
  maxCost?: number
  maxDurationMs?: number
  /** Terms of service that a bid agrees to. */
  sla?: SlaTerms
}

export interface Offer {
  cost: number
  /** A promise: after five times as long (and at least the lease) the work is taken away. Leave it out to promise nothing. */
  durationMs?: number
  /** 0 to 1. */
  confidence: number
}

/** A counter-offer, as the bidder hears of it. */
export interface CounterCall {
  /** What it has bid. */
  offered: Offer
  /** What is asked instead; what is left out is as it was bid. */
  asked: CounterOffer
  /** 1, or 2 for the last one. */
  turn: number
}

/** What a handler gets. */
export interface HandlerContext extends TaskContext {
  /** Like `agent.send` and `agent.receive`, until the task is over. What was sent can still be fetched afterwards. */
  send: SendContent
  receive: ReceiveContent
  /**
   * Calls something outside (a service, a database, a model) under the circuit breaker of that name, which the agent's handlers share:
   * after five failures in a row it is not called for a while, 1 s at first and up to 60 s. Rejects at once when the task is over.
   * What is the caller's fault does not count: a HANDLER_FAILED that is not retryable, INPUT_INVALID, BAD_USAGE, NOT_ALLOWED, REFUSED, OVER_BUDGET, LOOP.
   * @throws A2aError CIRCUIT_OPEN, and whatever the call throws
   */
  guard: <T>(name: string, call: (signal: AbortSignal) => Promise<T>) => Promise<T>
}

/** A task, as its handler sees it. */
export interface TaskContext {
  readonly taskId: string
  readonly capability: string
  readonly requester: string
  readonly epoch: number
  /** Aborts at the deadline, when the contract is revoked, and at shutdown. */
  readonly signal: AbortSignal
  /** What was agreed on: the cost, the promised time, how often progress is to be shown, and what a late result costs. */
  readonly terms: ContractTerms
  /** Milliseconds left, now. */
  remainingMs: () => number
  /** What may be spent on delegations, now: what is left of the requester's budget, if it set one, beside our own cost. */
  readonly budget?: number
  /** The same in each attempt at one job: what has an effect elsewhere can be done once by it. Absent outside of the queue. */
  readonly idempotencyKey?: string
  /** Agents that the task came through, the first requester first, the one it comes from last. */
  readonly visited: readonly string[]
  /** W3C Trace Context of the task. */
  readonly traceparent?: string
  progress: (fraction?: number, note?: string) => void
  /**
   * A partial result, sent at once and, until the requester has it on its disk, again: over a break of the connection or a restart of the requester,
   * until the task is over. Resolves when it is kept here for that, so that the work goes on meanwhile; waits while more than 8 MiB
   * have not arrived. All arrive before the task's end, in the order of the calls. Strings are sent as text/plain, bytes as application/octet-stream, anything else as JSON, unless `mediaType` says.
   * @throws A2aError MESSAGE_TOO_LARGE above 4 MiB, OVERLOADED above 16 MiB that are not awaited, and what ended the task
   */
  artifact: (name: string, data: unknown, options?: { mediaType?: string, append?: boolean, last?: boolean }) => Promise<void>
  /** Asks the requester for more, and waits for its answer. */
  requireInput: (prompt: string, schema?: JsonSchema) => Promise<unknown>
  /**
   * Like `agent.delegate`, with what is left of deadline, budget and depth, and the agents visited. It fails at once with
   * DEADLINE_EXCEEDED when no time is left, with REFUSED when it would be too deep, and with LOOP when everybody who is known to be capable has had a hand in the
   * task. What it may cost is set aside from the budget: `maxCostTokens`, or what is left of it; those that begin in the same
   * turn without one share what is left. It is cancelled when the task is over.
   */
  delegate: (capability: string, input: unknown, options?: DelegateOptions) => Work
}

export interface DelegateOptions {
  /** Milliseconds for everything, from now. Default 60,000; in a handler, what its task has left. */
  maxDurationMs?: number
  /** What it may cost, in the providers' units: the winner's cost and all that is delegated under it. Default: no limit. */
  maxCostTokens?: number
  /** Levels of delegations that there may be under it. 0: its provider does it without anybody's help. Default 15. */
  maxDepth?: number
  /** W3C Trace Context to go on with. Default: a new trace. */
  traceparent?: string
  /** Only this agent. */
  to?: string
  /** Silence that moves the work on, in ms. Default 5,000. */
  leaseMs?: number
  /** How long bids are taken at most, in ms. Ends early when all known capable agents have answered, or, after the first bid, have taken longer than they usually do. Default 500. */
  bidWindowMs?: number
  /** Announce it again until its deadline, for as long as nobody does it; else it fails after three times. */
  patient?: boolean
  /** What the output must look like. One that does not fit counts as a failure of its provider, and the work moves on. */
  output?: JsonSchema
  /**
   * How bids are ranked: `value` (the default), `cheapest`, `fastest`, `sticky:KEY` (the same provider for the same key while it
   * stands), or a function. A task that goes on after a restart is ranked by name, or by value when a function was given.
   */
  policy?: PolicyName | RankingPolicy
  /**
   * Terms of service beside deadline and promised time. Who breaks one loses the work to the next bidder; bidders that do not know such
   * terms, because they run an older version, are passed over.
   */
  sla?: SlaOptions
  /**
   * Other terms for a bid, once the window for bids has closed: its bidder makes a new bid or keeps the one it made. Whoever made a
   * new one may be answered once more. All of it takes as long as the window at most, and a quarter of the time that is left. `undefined`:
   * the bid is fine. In a task that goes on after a restart bids are ranked as they are.
   */
  counter?: (bid: Bid, bids: readonly Bid[], spec: TaskSpec) => CounterOffer | undefined
  /**
   * Whether to take a bid that costs more than `maxCostTokens`, or takes longer than is left; then its cost is what may be spent, and the
   * deadline is moved by what it needs. Default: no. What a handler delegates has no more than it was given, and is never asked.
   */
  acceptCounter?: (bid: Bid, spec: TaskSpec) => boolean
  /**
   * For what does no harm when it is done twice: when there is no result after so many ms, a second attempt is made, with another
   * agent if there is one. The first result counts, and the other attempt is cancelled, which may be too late for its effects. Both have
   * one deadline; the second may cost what the first one's bid leaves of the budget. `work` has the events of both, each with its own task id.
   */
  hedge?: { afterMs: number }
  /** Answers what a handler asks for with `requireInput`. */
  onInputRequired?: (prompt: string, schema?: JsonSchema) => unknown | Promise<unknown>
  signal?: AbortSignal
}

export interface SlaOptions extends SlaTerms {
  /**
   * What is wrong with an output, checked after its schema and before it is countersigned; `undefined`: nothing. An output that fails, and
   * one whose check throws or takes longer than 8 s, counts as a failure of its provider. It goes with its process: in a task that goes on
   * after a restart only the schema is checked.
   */
  check?: (output: any) => string | undefined | Promise<string | undefined>
}

/** A task under way: its events as they come, and its end. Iterating is optional; each iteration begins at the beginning. */
export interface Work extends AsyncIterable<TaskEvent> {
  readonly taskId: string
  /** @throws A2aError with the failure's code */
  readonly result: Promise<WorkResult>
  /** Answers `input-required`. */
  giveInput: (value: unknown) => Promise<void>
  cancel: (why?: string) => Promise<void>
}

export interface WorkResult<O = any> {
  output: O
  receipt: ReceiptFacts
  provider: string
  epoch: number
  /** The provider's own, */
  cost: number
  /** and what its delegations came to beside it. */
  spent: number
}
