/** The least that makes messages of a byte stream: four bytes with the length, then as many. For the bare subjects. */

/** `payload` with its length in front, in one piece. */
export function frame (payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(4 + payload.length)
  bytes.writeUInt32BE(payload.length)
  bytes.set(payload, 4)
  return bytes
}

/** Takes chunks as they come, and hands out each whole message. */
export function createFrames (onFrame: (payload: Buffer) => void): { push: (chunk: Uint8Array) => void } {
  let rest: Buffer | undefined
  return {
    push (chunk) {
      const fresh = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
      const bytes = rest === undefined ? fresh : Buffer.concat([rest, fresh])
      let offset = 0
      while (bytes.length - offset >= 4) {
        const end = offset + 4 + bytes.readUInt32BE(offset)
        if (end > bytes.length) break
        onFrame(bytes.subarray(offset + 4, end))
        offset = end
      }
      rest = offset < bytes.length ? bytes.subarray(offset) : undefined
    }
  }
}

/** Bulk goes in pieces of this size. */
export const PIECE = 1_048_576

/** Asks for so many bytes: their number, in eight. */
export function wanting (bytes: number): Buffer {
  const message = Buffer.alloc(8)
  message.writeBigUInt64BE(BigInt(bytes))
  return message
}
