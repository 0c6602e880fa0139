/**
 * Noise records in and out of a socket: 2 bytes length, ciphertext, tag. After the handshake this takes the place of what
 * @libp2p/noise 17.0 and @libp2p/tcp 11.0 do for each record, on their own objects: the few members of them that it needs are
 * the interfaces below. Where one of them is missing, as on a WebSocket, everything stays as it was.
 */
import { Socket } from 'node:net'
import type { MessageStream } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'
import { takeDirectly } from './direct.ts'
import { LARGE_BYTES, release, sent } from './memory.ts'

type Bytes = Uint8Array | Uint8ArrayList

/** EncryptedMessageStream of @libp2p/noise. */
interface NoiseStream extends MessageStream {
  handshake: { encrypt: (plaintext: Bytes) => Bytes, decrypt: (record: Bytes) => Bytes }
  decoder: { buffer: Uint8ArrayList, decode: (bytes: Bytes) => Iterable<Bytes> }
  decrypt: (record: Bytes) => Bytes
  onData: (bytes: Bytes) => void
}

/** TCPSocketMultiaddrConnection of @libp2p/tcp. */
interface SocketStream extends MessageStream { socket: Socket, writeStatus: string }

const PREFIX_BYTES = 2
const TAG_BYTES = 16
const MAX_RECORD = 65_535
/** Most plaintext of one record. A frame of a muxer that fits is never cut in two. */
const RECORD_BYTES = MAX_RECORD - TAG_BYTES
/** Records of one write to the socket: each write may wake the reader, and that costs more than the copying. */
const RECORDS_PER_WRITE = 2
const WRITE_BYTES = RECORDS_PER_WRITE * (PREFIX_BYTES + MAX_RECORD)
/** So much of small messages is worth a write. */
const WORTH_BYTES = 16_384
/** Room for a record until a larger one comes. */
const SMALL_RECORD = 2_048
/** Where a record is put together before it is encrypted, in the same turn: one place for all connections. */
const plaintext = new Uint8Array(RECORD_BYTES)
/** Buffers for writing that are kept. */
const SPARE_BUFFERS = 8

/** Makes an encrypted stream over a socket faster, before anything was sent on it. @returns whether it could */
export function speedUp (raw: MessageStream, encrypted: MessageStream): boolean {
  if (!isSocketStream(raw) || !isNoiseStream(encrypted)) return false
  const { handshake } = encrypted
  const output = writeRecords(raw, encrypted)
  encrypted.decoder = createRecordReader(encrypted.decoder.buffer, output.afterRead)
  encrypted.decrypt = record => handshake.decrypt(record)
  takeDirectly(raw, bytes => {
    try {
      for (const record of encrypted.decoder.decode(bytes)) encrypted.onData(encrypted.decrypt(record))
    } catch (error) {
      encrypted.abort(error as Error)
    }
  })
  return true
}

const isSocketStream = (stream: MessageStream): stream is SocketStream => 'socket' in stream && stream.socket instanceof Socket && 'writeStatus' in stream

const isNoiseStream = (stream: MessageStream): stream is NoiseStream => 'decoder' in stream && 'decrypt' in stream && 'onData' in stream && 'handshake' in stream

/**
 * Puts records together in one place that is used again and again: each is decrypted before the next is taken.
 * @param begun what the stock decoder had of the next record
 * @param onRead the socket has given something
 */
function createRecordReader (begun: Uint8ArrayList, onRead: () => void): NoiseStream['decoder'] {
  /** Grows to what is needed: most connections never see a large record, and 64 KiB for each of 20 would be most of a node's memory. */
  let place = new Uint8Array(SMALL_RECORD)
  const prefix = new Uint8Array(PREFIX_BYTES)
  let length: number | undefined
  let filled = 0

  return {
    buffer: begun,
    * decode (bytes) {
      onRead()
      const pieces = [...begun, ...(bytes instanceof Uint8Array ? [bytes] : bytes)]
      begun.consume(begun.byteLength)
      for (const piece of pieces) {
        for (let offset = 0; offset < piece.length;) {
          const target = length === undefined ? prefix : place
          const taken = Math.min((length ?? PREFIX_BYTES) - filled, piece.length - offset)
          target.set(piece.subarray(offset, offset + taken), filled)
          offset += taken
          filled += taken
          if (filled < (length ?? PREFIX_BYTES)) break
          filled = 0
          if (length === undefined) {
            length = (prefix[0] ?? 0) << 8 | (prefix[1] ?? 0)
            if (length === 0) length = undefined
            else if (length > place.length) place = new Uint8Array(MAX_RECORD)
          } else {
            const record = place.subarray(0, length)
            length = undefined
            yield record
          }
        }
        release(piece)
      }
    }
  }
}

/**
 * Takes the place of `send`: what the muxer says in one turn of the event loop (window updates, small messages of many
 * streams) goes into as few records as it fits, and records into as few writes. What comes first goes at once when it is
 * small, and so does what is enough for a write.
 */
function writeRecords (raw: SocketStream, encrypted: NoiseStream): { afterRead: () => void } {
  const { handshake: { encrypt } } = encrypted
  const sendAsBefore = encrypted.send.bind(encrypted)
  const output = createOutput(raw.socket, () => { encrypted.writableNeedsDrain = true })
  let queue: Bytes[] = []
  let queued = 0
  let filled = 0
  let scheduled = false
  let isFirst = true

  function flush (): void {
    if (queued === 0 || raw.writeStatus !== 'writable') return
    const messages = queue
    const isLarge = queued >= LARGE_BYTES
    queue = []
    queued = 0
    // The place is shared: after a failure, what is in it may be another connection's.
    filled = 0
    for (const message of messages) {
      if (filled + message.byteLength > RECORD_BYTES) seal(isLarge)
      for (const piece of message instanceof Uint8Array ? [message] : message) {
        for (let from = 0; from < piece.length;) {
          const part = piece.subarray(from, from + RECORD_BYTES - filled)
          plaintext.set(part, filled)
          filled += part.length
          from += part.length
          if (filled === RECORD_BYTES) seal(isLarge)
        }
        sent(piece)
      }
    }
    seal(isLarge)
    output.write()
  }

  function seal (isLarge: boolean): void {
    if (filled === 0) return
    const record = encrypt(plaintext.subarray(0, filled))
    filled = 0
    output.append(record, isLarge)
  }

  encrypted.send = bytes => {
    if (raw.writeStatus !== 'writable') return sendAsBefore(bytes)
    queue.push(bytes)
    queued += bytes.byteLength
    if (queued >= RECORDS_PER_WRITE * RECORD_BYTES) {
      if (!encrypted.writableNeedsDrain) flush()
    } else {
      if (!scheduled) {
        scheduled = true
        setImmediate(() => {
          scheduled = false
          isFirst = true
          if (!encrypted.writableNeedsDrain) flush()
        })
      }
      // What comes first does not wait, nor does what is worth a write: the other end works at it while the others are put together.
      if ((isFirst || queued >= WORTH_BYTES) && queued < 2 * WORTH_BYTES && !encrypted.writableNeedsDrain) {
        isFirst = false
        flush()
      }
    }
    return !encrypted.writableNeedsDrain
  }
  // Before the muxer hears of it, which was not there yet: what waits here goes first.
  encrypted.addEventListener('drain', flush)
  for (const stream of [raw, encrypted]) {
    const close = stream.close.bind(stream)
    stream.close = async options => {
      flush()
      await close(options)
    }
  }
  return { afterRead: () => { isFirst = true } }
}

/** Collects records into buffers, which are used again once the socket has taken them. */
function createOutput (socket: Socket, onFull: () => void): { append: (record: Bytes, isLarge: boolean) => void, write: () => void } {
  const spare: Uint8Array[] = []
  let buffer: Uint8Array = new Uint8Array(0)
  let end = 0

  function write (): void {
    const written = buffer
    const bytes = written.subarray(0, end)
    buffer = new Uint8Array(0)
    end = 0
    if (bytes.length === 0) return
    const goesOn = socket.write(bytes, () => { if (written.length === WRITE_BYTES && spare.length < SPARE_BUFFERS) spare.push(written) })
    if (!goesOn) onFull()
  }

  return {
    append (record, isLarge) {
      const size = PREFIX_BYTES + record.byteLength
      if (end + size > buffer.length) {
        write()
        buffer = isLarge ? spare.pop() ?? new Uint8Array(WRITE_BYTES) : new Uint8Array(size)
      }
      buffer[end] = record.byteLength >>> 8
      buffer[end + 1] = record.byteLength
      end += PREFIX_BYTES
      for (const piece of record instanceof Uint8Array ? [record] : record) {
        buffer.set(piece, end)
        end += piece.length
        release(piece)
      }
    },
    write
  }
}
