/**
 * What a libp2p stream receives, handed on by a call. Between socket and reader there are three streams, and each makes a list, an
 * event and a round through Node's EventTarget for each piece: a tenth of the CPU of a receiver of bulk.
 */
import type { Uint8ArrayList } from 'uint8arraylist'

type Bytes = Uint8Array | Uint8ArrayList

/** What this needs of AbstractMessageStream (@libp2p/utils 7.4). */
interface Receiver {
  readStatus: string
  remoteWriteStatus: string
  readBuffer: { byteLength: number }
  onData: (bytes: Bytes) => void
}

/**
 * Calls `take` with what comes while the stream is neither paused nor ending and nothing waits in it. All else becomes a
 * `message` event, as before: whoever asks for this listens to that as well.
 */
export function takeDirectly (stream: object, take: (bytes: Bytes) => void): void {
  if (!isReceiver(stream)) return
  const onData = stream.onData.bind(stream)
  stream.onData = bytes => {
    const isPlain = stream.readStatus === 'readable' && stream.remoteWriteStatus === 'writable' && stream.readBuffer.byteLength === 0
    if (isPlain && bytes.byteLength > 0) take(bytes)
    else onData(bytes)
  }
}

const isReceiver = (stream: object): stream is Receiver =>
  ['readStatus', 'remoteWriteStatus', 'readBuffer', 'onData'].every(member => member in stream)
