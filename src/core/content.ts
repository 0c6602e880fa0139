/** Content: bytes of any length under one hash, handed from node to node beside the messages. */

/**
 * What names a content and says where it is: plain JSON, to be put into a task's input or output, or a message. Whoever
 * holds it may fetch the content, so hand it only to those who may have it.
 */
export interface ContentRef {
  /** SHA-256 over length, chunk size and the hashes of all chunks; base64url. Every byte is checked against it. */
  hash: string
  /** Proof that the ref was handed over: 128 random bits, base64url. The hash of what can be guessed can be guessed too. */
  key: string
  bytes: number
  /** Each chunk but the last has so many bytes. */
  chunkBytes: number
  name?: string
  mediaType?: string
  /** Nodes that have it: peer id and multiaddrs. They know of others. */
  sources: ContentSource[]
}

export interface ContentSource {
  peer: string
  addresses: string[]
}

/** A file by its path, bytes, or a stream of bytes. */
export type ContentInput = string | Uint8Array | AsyncIterable<Uint8Array>

export interface SendContentOptions {
  /** What to call it. Default: the name of the file. */
  name?: string
  mediaType?: string
  onProgress?: (progress: ContentProgress) => void
  signal?: AbortSignal
}

export interface ReceiveOptions {
  /**
   * Of a stream: its pieces may be looked at only until the next one is asked for, for their memory is used again. Worth it
   * for who computes over hundreds of megabytes. Default false.
   */
  lend?: boolean
  onProgress?: (progress: ContentProgress) => void
  signal?: AbortSignal
}

export interface ContentProgress {
  /** So far, and in all; a stream's total is known only at its end. */
  bytes: number
  total?: number
  /** Over the last seconds. */
  bytesPerSecond: number
  /** At this rate. */
  leftMs?: number
}

export interface ReceivedFile {
  /** The whole path. */
  file: string
  bytes: number
  /** Bytes that were there from an earlier attempt, and hold. */
  resumedBytes: number
}

export interface SendContent {
  /**
   * Offers content to others, for as long as this node runs and is not told to drop it. A file is not copied: only its hashes
   * are kept. Bytes and streams are kept in the home. Resolves when all of it has been hashed.
   * @throws A2aError CONTENT_CHANGED when the file changes meanwhile; NO_SPACE; BAD_USAGE when there is no such file
   */
  (source: ContentInput, options?: SendContentOptions): Promise<ContentRef>
}

export interface ReceiveContent {
  /**
   * Fetches content into a file, in the place of one that is there. What has come goes by the name `<file>.partial` until it is whole and verified, and a later
   * attempt goes on from there. Meanwhile, and until this node ends, others may fetch it from here too.
   * @throws A2aError CONTENT_UNAVAILABLE, CONTENT_UNKNOWN, CONTENT_CHANGED, NO_SPACE
   */
  (ref: ContentRef, options: ReceiveOptions & { file: string }): Promise<ReceivedFile>
  /** Fetches content as a stream: verified bytes, in order, no faster than they are taken. Ending early ends the transfer. */
  (ref: ContentRef, options?: ReceiveOptions): AsyncIterable<Uint8Array>
}

/** A content that this node has. */
export interface ContentRow {
  hash: string
  name?: string
  mediaType?: string
  bytes: number
  /** Where it is on disk. */
  file: string
  /** `file`: a file that was sent. `spool`: kept in the home, and counted in its quota. `received`: fetched, until the node ends; `partial`: still being fetched. */
  kind: 'file' | 'spool' | 'received' | 'partial'
  /** The file is gone, or not what it was: nobody can fetch it. */
  changed: boolean
  /** Bytes that others fetched from here since the node began. */
  servedBytes: number
  at: number
}
