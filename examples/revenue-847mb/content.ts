/** The dataset's way from its owner to whoever works on it. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'

export interface ContentRef { hash: string, bytes: number, file: string }

export const send = async (file: string): Promise<ContentRef> => ({ hash: file, bytes: (await stat(file)).size, file })

export const receive = ({ file }: ContentRef, { signal }: { signal: AbortSignal }): AsyncIterable<Uint8Array> => createReadStream(file, { highWaterMark: 1 << 20, signal })
