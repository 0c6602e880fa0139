/**
 * The hash tree of a content: one SHA-256 for each chunk, and the root over length, chunk size and all of them. So each chunk
 * can be checked by itself as soon as it is there, whoever it came from.
 */
import { hash } from 'node:crypto'
import * as z from 'zod/mini'
import { A2aError } from '../core/errors.ts'
import type { ContentRef } from '../core/content.ts'
import { CHUNKS, FETCH } from './limits.ts'

/** What a content is made of: enough to check every byte of it. */
export interface Tree {
  hash: string
  bytes: number
  chunkBytes: number
  /** 32 bytes a chunk. */
  hashes: Uint8Array
}

export const HASH_BYTES = 32
const ROOT_PREFIX = Buffer.from('a2a-node/content/1\0')

/**
 * SHA-256. Not in the thread pool: on two cores, handing 256 KiB to it and the copy it makes take as long as the hash itself
 * where the processor has instructions for it.
 */
export const digest = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer')

/** The size of chunk for so many bytes. @throws A2aError BAD_USAGE beyond 1 TiB */
export function chunkBytesFor (bytes: number): number {
  let size: number = CHUNKS.minBytes
  while (size * CHUNKS.max < bytes) size *= 2
  if (size > CHUNKS.maxBytes) throw new A2aError({ code: 'BAD_USAGE', why: `${bytes} bytes are more than one content can have (${CHUNKS.maxBytes * CHUNKS.max})` })
  return size
}

export const countOf = ({ bytes, chunkBytes }: Pick<Tree, 'bytes' | 'chunkBytes'>): number => Math.ceil(bytes / chunkBytes)

/** Length of chunk `index`. */
export const lengthOf = ({ bytes, chunkBytes }: Pick<Tree, 'bytes' | 'chunkBytes'>, index: number): number => Math.min(chunkBytes, bytes - index * chunkBytes)

/** The root, base64url: SHA-256 of a fixed prefix, length (8 bytes) and chunk size (4), big-endian, and the hashes of all chunks. */
export function rootOf ({ bytes, chunkBytes, hashes }: Omit<Tree, 'hash'>): string {
  const shape = Buffer.alloc(12)
  shape.writeBigUInt64BE(BigInt(bytes))
  shape.writeUInt32BE(chunkBytes, 8)
  return hash('sha256', Buffer.concat([ROOT_PREFIX, shape, hashes]), 'base64url')
}

/** Whether `sum` is the hash of chunk `index`. */
export function holds ({ hashes }: Tree, index: number, sum: Uint8Array): boolean {
  return Buffer.compare(hashes.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES), sum) === 0
}

export const Addresses = z.array(z.string().check(z.maxLength(256))).check(z.maxLength(FETCH.addresses))
const Source = z.object({ peer: z.string().check(z.minLength(8), z.maxLength(128)), addresses: Addresses })
const Sources = z.array(Source).check(z.maxLength(FETCH.known))
const Ref = z.object({
  hash: z.string().check(z.regex(/^[\w-]{43}$/)),
  key: z.string().check(z.regex(/^[\w-]{22}$/)),
  bytes: z.int().check(z.gte(0), z.lte(CHUNKS.maxBytes * CHUNKS.max)),
  chunkBytes: z.int().check(z.gte(CHUNKS.minBytes), z.lte(CHUNKS.maxBytes)),
  name: z.optional(z.string().check(z.maxLength(255))),
  mediaType: z.optional(z.string().check(z.maxLength(128))),
  sources: Sources
}).check(z.refine(ref => countOf(ref) <= CHUNKS.max, 'it has too many chunks'))

/** Checks what somebody else may have written. Unknown fields are left out. @throws A2aError BAD_USAGE */
export function parseRef (value: unknown): ContentRef {
  const parsed = Ref.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new A2aError({ code: 'BAD_USAGE', why: `this is no content ref: ${[issue?.path.join('.'), issue?.message].filter(Boolean).join(' ')}` })
}

export const parseSources = (value: unknown): ContentRef['sources'] => {
  const parsed = Sources.safeParse(value)
  return parsed.success ? parsed.data : []
}
