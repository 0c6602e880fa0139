/** The two processes of a subject: one that answers, and one that asks under load. */
import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { closedLoop, pour, spreadOf, type Load } from '../load.ts'
import { subjectOf } from '../subjects/all.ts'
import type { Actor } from '../messages.ts'
import type { Scene } from '../subject.ts'
import type { Tls } from '../tls.ts'

export interface EchoArgs {
  subject: string
  folder: string
  tls: Tls
  broker?: string
}

export async function echoServer ({ subject, ...scene }: EchoArgs): Promise<Actor> {
  let received = 0
  let awaited = Infinity
  let complete = Promise.withResolvers<string>()
  const arrived = (): void => {
    if (++received >= awaited) complete.resolve(String(process.hrtime.bigint()))
  }
  const served = await subjectOf(subject).serve({ ...scene, arrived })
  return {
    address: async () => served.address,
    expect: async (count: number) => {
      complete = Promise.withResolvers()
      awaited = received + count
    },
    /** When the last of those expected arrived. */
    complete: () => complete.promise,
    received: async () => received,
    close: async () => { await served[Symbol.asyncDispose]() }
  }
}

export async function echoCaller ({ subject, address, ...rest }: EchoArgs & { address: unknown }): Promise<Actor> {
  const scene: Scene = { ...rest, arrived: () => undefined }
  const caller = await subjectOf(subject).connect(address, scene)
  return {
    ask: async ({ bytes, ...load }: Load & { bytes: number }) => {
      const { request } = caller
      if (request === undefined) throw new Error(`${subject} has no requests`)
      const payload = text(bytes)
      return await closedLoop(async () => {
        const length = await request(payload)
        if (length !== bytes) throw new Error(`${subject} answered ${bytes} bytes with ${length}`)
      }, load)
    },
    tell: async ({ bytes, count }: { bytes: number, count: number }) => {
      const { tell, flush } = caller
      if (tell === undefined) throw new Error(`${subject} has no messages without an answer`)
      const payload = text(bytes)
      return String(await pour(() => tell(payload), count, flush))
    },
    /** Whether there is bulk, made ready. */
    prepare: async (bytes: number) => {
      await caller.prepare?.(bytes)
      return caller.fetch !== undefined
    },
    /** How long it took, in ms. */
    fetch: async ({ bytes, stream }: { bytes: number, stream: boolean }) => {
      const begun = performance.now()
      await caller.fetch?.(bytes, stream)
      return performance.now() - begun
    },
    /** The first answer to somebody who was not connected, again and again with another stranger. */
    reach: async (count: number) => {
      const took: number[] = []
      for (let i = 0; i < count; i++) {
        await using stranger = await subjectOf(subject).stranger?.(address, scene)
        if (stranger === undefined) throw new Error(`${subject} has no strangers`)
        const begun = performance.now()
        await stranger.reach()
        took.push(performance.now() - begun)
      }
      return spreadOf(took)
    },
    close: async () => { await caller[Symbol.asyncDispose]() }
  }
}

/** Random, and printable, so that peers whose messages are JSON may carry it as text. */
const text = (bytes: number): Buffer => Buffer.from(randomBytes(bytes).toString('base64').slice(0, bytes), 'latin1')
