/**
 * A few columns out of a stream in Arrow's IPC format. Arrow's own reader joins the pieces of each batch in memory that is
 * new each time, which costs more than the sums; here only the columns that are wanted are copied, always to the same place.
 * The format: https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format
 */
import { DataType, Message, type MessageHeader, type Schema } from 'apache-arrow'
import { readPieces, type Pieces } from './pieces.ts'

/** The values of one batch. They hold until the next one is asked for. */
export interface Batch<C extends string> {
  rows: number
  values: Record<C, Int8Array | Int32Array>
  /** What the values of a column of text stand for. */
  words: (column: C) => string[]
}

/** Where a column is, and the place its values are copied to. */
interface Column { index: number, dictionary?: number, values: Int8Array<ArrayBuffer> | Int32Array<ArrayBuffer> }

/** Bytes that a description, a dictionary or a column of one batch may have. */
const MAX_METADATA = 1 << 20
const MAX_BODY = 64 << 20

/**
 * Reads columns of 32-bit whole numbers and days, and of text with a dictionary of at most 127 words, without gaps. The
 * other columns may be of any numbers, times, or text with a dictionary.
 * @throws Error when the stream is something else, or ends in the middle
 */
export async function * readColumns<C extends string> (bytes: AsyncIterable<Uint8Array>, wanted: readonly C[]): AsyncGenerator<Batch<C>> {
  const pieces = readPieces(bytes)
  const dictionaries = new Map<number, string[]>()
  let columns: Array<[C, Column]> = []
  const words = (name: C): string[] => dictionaries.get(columns.find(([column]) => column === name)?.[1].dictionary ?? -1) ?? []
  try {
    for (let message = await nextMessage(pieces); message !== undefined; message = await nextMessage(pieces)) {
      if (message.isSchema()) {
        const { fields } = message.header()
        if (!fields.every(({ type }) => isFixed(type))) throw new Error('the dataset has a column whose values are not all of one width')
        // In the order of the stream, since there is no way back.
        columns = wanted.map((name): [C, Column] => [name, findColumn(fields, name)]).sort(([, a], [, b]) => a.index - b.index)
      } else if (message.isDictionaryBatch()) {
        const { id, isDelta } = message.header()
        if (isDelta || dictionaries.has(id)) throw new Error('the dataset changes a dictionary on its way')
        dictionaries.set(id, await readWords(pieces, message))
      } else if (message.isRecordBatch()) {
        yield { rows: message.header().length, values: await readValues(pieces, message, columns), words }
      }
    }
    await pieces.drain()
  } finally {
    await pieces.close()
  }
}

async function readValues<C extends string> (pieces: Pieces, message: Message<MessageHeader.RecordBatch>, columns: Array<[C, Column]>): Promise<Batch<C>['values']> {
  const { length: rows, nodes, buffers } = message.header()
  const values = {} as Batch<C>['values']
  let at = 0
  for (const [name, column] of columns) {
    const { offset, length } = buffers[2 * column.index + 1] ?? { offset: -1, length: 0 }
    const bytes = rows * column.values.BYTES_PER_ELEMENT
    if (offset < at || length < bytes || bytes > MAX_BODY || nodes[column.index]?.nullCount !== 0) throw new Error(`the dataset's column ${name} has gaps`)
    if (column.values.length < rows) column.values = column.dictionary === undefined ? new Int32Array(rows) : new Int8Array(rows)
    values[name] = column.values.subarray(0, rows)
    await pieces.skip(offset - at)
    await pieces.read(new Uint8Array(column.values.buffer, 0, bytes))
    at = offset + bytes
  }
  await pieces.skip(message.bodyLength - at)
  return values
}

/** The next description: of the schema, or of a body that follows. Nothing at the end of the stream. */
async function nextMessage (pieces: Pieces): Promise<Message | undefined> {
  const prefix = new DataView(new ArrayBuffer(8))
  await pieces.read(new Uint8Array(prefix.buffer))
  const length = prefix.getInt32(4, true)
  if (prefix.getUint32(0) !== 0xffff_ffff || length < 0 || length > MAX_METADATA) throw new Error('the dataset is no stream of Arrow batches')
  if (length === 0) return undefined
  const metadata = new Uint8Array(length)
  await pieces.read(metadata)
  const message = Message.decode(metadata)
  if (message.compression != null) throw new Error('the dataset is compressed')
  return message
}

/** A dictionary is a batch of one column of text: gaps, ends of the words, and the words one after the other. */
async function readWords (pieces: Pieces, message: Message<MessageHeader.DictionaryBatch>): Promise<string[]> {
  if (message.bodyLength > MAX_BODY) throw new Error('a dictionary of the dataset is too large')
  const body = Buffer.alloc(message.bodyLength)
  await pieces.read(body)
  const { length, buffers: [, ends, text] } = message.header()
  if (ends === undefined || text === undefined) throw new Error('a dictionary of the dataset is not of text')
  const end = (word: number): number => text.offset + body.readInt32LE(ends.offset + 4 * word)
  return Array.from({ length }, (_, word) => body.toString('utf8', end(word), end(word + 1)))
}

function findColumn (fields: Schema['fields'], name: string): Column {
  const index = fields.findIndex(field => field.name === name)
  const type = fields[index]?.type
  if (DataType.isDictionary(type) && DataType.isUtf8(type.dictionary) && type.indices.bitWidth === 8) return { index, dictionary: type.id, values: new Int8Array() }
  if ((DataType.isInt(type) && type.bitWidth === 32) || (DataType.isDate(type) && type.unit === 0)) return { index, values: new Int32Array() }
  throw new Error(`the dataset has no column ${name} as it should be`)
}

/** Such a column has two buffers: of its gaps, and of its values. */
const isFixed = (type: DataType): boolean =>
  [DataType.isInt, DataType.isFloat, DataType.isDecimal, DataType.isDate, DataType.isTime, DataType.isTimestamp, DataType.isDictionary].some(is => is(type))
