/** What a fault is to the leader of a run: where its processes live, and what is done to them. */
import type { ChildProcess } from 'node:child_process'

export interface Member {
  number: number
  home: string
  child: ChildProcess
  agentId?: string
  ready: boolean
  stopped: boolean
  /** Contracts whose handlers are at work there: task and epoch. */
  holding: Set<string>
  /** Tasks and jobs of its own that are open. */
  open?: number
}

/** Where a process lives. */
export interface Place {
  /** To be put in front of its command. */
  within: string[]
  listen: string
  /** Known beforehand, so that others can be told. Empty: they find each other in a folder. */
  bootstrap: string[]
  env: Record<string, string>
}

/** What a process offers beside its work, which kills whatever handles it. */
export interface Poison {
  capability: string
  kills: 'process' | 'program'
}

export interface Scene {
  readonly members: readonly Member[]
  /** Waits, in ms. False, and sooner: the time for faults is over. */
  pause: (ms: number) => Promise<boolean>
  /** Waits, in ms, also when that time is over: for what has to be undone. */
  hold: (ms: number) => Promise<void>
  note: (member: Member, what: 'down' | 'frozen' | 'thawed') => void
  launch: (member: Member) => void
  /** Puts a job into somebody's queue; resolves when it is settled or given up, or its owner is gone. */
  enqueue: (member: Member, capability: string) => Promise<void>
  /** Begins a part of the run, whose tasks are told apart. */
  part: (name: string) => void
  /** Something is wrong with the network from now on, or with none of it any more. */
  cut: () => void
  healed: () => void
}

export interface Fault {
  /** Where the process of this number lives. Default: on loopback, all in one folder. */
  place?: (number: number) => Place
  /** What the process of this number offers beside its work. */
  poison?: (number: number) => Poison | undefined
  /** Goes on until the time is over, and resolves when all is well again, to how often it struck. */
  strike: (scene: Scene) => Promise<number>
  /** Some go by a wrong time of day for a while: what they say then is refused, and they refuse what they hear. */
  setsClocks?: boolean
  /** Undoes what it made. @param pids of the processes, which have ended */
  close?: (pids: number[]) => void
}

export const pick = <T>(from: readonly T[]): T | undefined => from[Math.floor(Math.random() * from.length)]

export const shuffled = <T>(items: readonly T[]): T[] => items.map(item => ({ item, at: Math.random() })).sort((a, b) => a.at - b.at).map(({ item }) => item)
