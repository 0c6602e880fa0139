/**
 * Messages waiting for the transport, in the order in which they leave: control before data, and within a lane each
 * caller in its turn, by bytes (deficit round robin: Shreedhar and Varghese, 1995), so that one who sends much or large
 * holds up nobody else.
 */
import type { Lane } from '../wire/messages.ts'

export interface Waiting {
  lane: Lane
  /** Who sends it: the agent's id. */
  caller: string
  /** About how many bytes it will have. */
  bytes: number
}

export interface Outbox<T extends Waiting> {
  add: (message: T) => void
  /** Takes a message back. False when it has left. */
  remove: (message: T) => boolean
  /** Takes back all that `match`. */
  removeAll: (match: (message: T) => boolean) => T[]
  /** The next to leave. */
  next: () => T | undefined
  /** All of them, and none is left. */
  clear: () => T[]
  readonly size: number
}

/** A caller may send so many bytes before it is another's turn. */
const TURN = 16 * 1_024
/** Even when normal messages never end, one of the low lane leaves after so many of them. */
const NORMAL_IN_A_ROW = 64

interface Queue<T> {
  messages: T[]
  /** Index of the first that is left. */
  from: number
  credit: number
}

interface Turns<T> {
  add: (message: T) => void
  remove: (message: T) => boolean
  removeAll: (match: (message: T) => boolean) => T[]
  next: () => T | undefined
}

export function createOutbox<T extends Waiting> (): Outbox<T> {
  const lanes: Record<Lane, Turns<T>> = { control: createTurns(), normal: createTurns(), low: createTurns() }
  let size = 0
  let inARow = 0

  function pick (): T | undefined {
    const control = lanes.control.next()
    if (control !== undefined) return control
    if (inARow < NORMAL_IN_A_ROW) {
      const normal = lanes.normal.next()
      if (normal !== undefined) {
        inARow++
        return normal
      }
    }
    inARow = 0
    return lanes.low.next() ?? lanes.normal.next()
  }

  function next (): T | undefined {
    const message = pick()
    if (message !== undefined) size--
    return message
  }

  return {
    add (message) {
      lanes[message.lane].add(message)
      size++
    },
    remove (message) {
      const removed = lanes[message.lane].remove(message)
      if (removed) size--
      return removed
    },
    removeAll (match) {
      const removed = Object.values(lanes).flatMap(lane => lane.removeAll(match))
      size -= removed.length
      return removed
    },
    next,
    clear () {
      const all: T[] = []
      for (let message = next(); message !== undefined; message = next()) all.push(message)
      return all
    },
    get size () { return size }
  }
}

/** One lane. */
function createTurns<T extends Waiting> (): Turns<T> {
  const queues = new Map<string, Queue<T>>()
  /** Callers with something to send, the one whose turn it is first. */
  const turns: string[] = []

  function next (): T | undefined {
    for (;;) {
      const [caller] = turns
      if (caller === undefined) return undefined
      const queue = queues.get(caller) as Queue<T>
      const message = queue.messages[queue.from]
      if (message === undefined) {
        queues.delete(caller)
        turns.shift()
        continue
      }
      if (turns.length > 1 && message.bytes > queue.credit) {
        queue.credit += TURN
        turns.push(turns.shift() as string)
        continue
      }
      queue.credit = Math.max(0, queue.credit - message.bytes)
      queue.from++
      compact(queue)
      return message
    }
  }

  return {
    add (message) {
      const queue = queues.get(message.caller)
      if (queue === undefined) {
        queues.set(message.caller, { messages: [message], from: 0, credit: TURN })
        turns.push(message.caller)
      } else queue.messages.push(message)
    },
    remove (message) {
      const queue = queues.get(message.caller)
      const at = queue?.messages.indexOf(message, queue.from) ?? -1
      if (at >= 0) queue?.messages.splice(at, 1)
      return at >= 0
    },
    removeAll (match) {
      return [...queues.values()].flatMap(queue => {
        const left = queue.messages.slice(queue.from)
        queue.messages = left.filter(message => !match(message))
        queue.from = 0
        return left.filter(match)
      })
    },
    next
  }
}

/** Taking from the front of an array costs as much as it is long; so the front is moved, and cut off now and then. */
function compact<T> (queue: Queue<T>): void {
  if (queue.from === queue.messages.length) {
    queue.messages = []
    queue.from = 0
  } else if (queue.from >= 1_024) {
    queue.messages.splice(0, queue.from)
    queue.from = 0
  }
}
