/** The dataset's way from its owner to whoever works on it. */
import { createReadStream } from 'node:fs'

export interface ContentRef { hash: string, bytes: number, file: string }

export async function * receive ({ file }: ContentRef): AsyncGenerator<Uint8Array> {
  for await (const piece of createReadStream(file, { highWaterMark: 1 << 20 })) yield piece
}
