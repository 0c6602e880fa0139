/** What is measured: a way for two processes to talk, with the least code its makers recommend. */
import type { Tls } from './tls.ts'

export interface Subject {
  /** In options, files and reports. */
  readonly id: string
  readonly title: string
  /** How its bytes travel. */
  readonly over: string
  /** npm packages it needs. */
  readonly packages: readonly string[]
  /** It has messages that want no answer. Default true. */
  readonly oneWay?: boolean
  /** A program that stands between the two processes. */
  readonly broker?: Broker
  /** Who answers: echoes requests, counts messages that want no answer. */
  serve: (scene: Scene) => Promise<Served>
  /** Who asks. `address` is what `serve` gave, after a way through JSON. */
  connect: (address: any, scene: Scene) => Promise<Caller>
  /** Somebody who has never spoken with the server, ready to. Made and ended outside of what is timed. */
  stranger?: (address: any, scene: Scene) => Promise<Stranger>
}

export interface Stranger extends AsyncDisposable {
  /** Connects, authenticates as far as the subject does, and asks once: resolves with the first answer. */
  reach: () => Promise<unknown>
}

export interface Scene {
  /** A folder for this subject alone. */
  folder: string
  tls: Tls
  /** Address of the broker, where the subject has one. */
  broker?: string
  /** The server calls it for each message that wants no answer. */
  arrived: () => void
}

export interface Served extends AsyncDisposable {
  /** Where to reach it: JSON. */
  address: unknown
}

export interface Caller extends AsyncDisposable {
  /** Asks, and resolves with the length of the reply in bytes. */
  request?: (payload: Buffer) => Promise<number>
  /** Sends without an answer. What it resolves to is awaited: the backpressure. */
  tell?: (payload: Buffer) => Promise<void> | undefined
  /** Everything told has left this process. */
  flush?: () => Promise<void>
  /** Makes so many bytes ready at the server, once. */
  prepare?: (bytes: number) => Promise<void>
  /** Gets them, and resolves when the last one is here. `stream`: hands them out as they come, where the default is into a file. */
  fetch?: (bytes: number, stream: boolean) => Promise<void>
}

export interface Broker {
  /** What to say when it is not there. */
  missing: () => Promise<string | undefined>
  version: () => Promise<string>
  start: (scene: Pick<Scene, 'folder' | 'tls'>) => Promise<RunningBroker>
}

export interface RunningBroker extends AsyncDisposable {
  address: string
  pid: number
}
