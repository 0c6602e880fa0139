/** The dataset as a file: generated once, kept, and generated anew when it is not what it was. */
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { AsyncByteQueue, RecordBatchStreamWriter, type RecordBatch } from 'apache-arrow'
import { generate } from './generate.ts'
import { rowsOf, type Totals } from './schema.ts'

/** What is known of the file without reading it; kept beside it as JSON. */
interface Manifest {
  /** Of the generator: another number, another dataset. */
  version: number
  seed: number
  rows: number
  bytes: number
  crc32: number
  totals: Totals
}

export interface Dataset extends Manifest {
  file: string
}

export interface DatasetOptions {
  folder: string
  /** Of a million bytes. */
  megabytes: number
  /** Told now and then what is going on. */
  progress: (line: string) => void
  signal: AbortSignal
}

const VERSION = 1
const SEED = 847
/** A half-written file that nobody has written to for so long, in ms, is left over. */
const STALE_MS = 60_000

/** The dataset of this size, checked byte by byte. @throws Error when there is no room for it */
export async function openDataset (options: DatasetOptions): Promise<Dataset> {
  const { folder, megabytes, progress, signal } = options
  const file = join(folder, `sales-${megabytes}mb.arrows`)
  const manifest = await readManifest(`${file}.json`)
  if (manifest !== undefined) {
    if (await isWhole(file, manifest, signal)) return { file, ...manifest }
    progress(`${file} is damaged: making it anew`)
  }
  await mkdir(folder, { recursive: true })
  await removeStale(folder)
  return { file, ...await create(file, options) }
}

/** Undefined when there is none, or it is of another generator. */
async function readManifest (file: string): Promise<Manifest | undefined> {
  const manifest = await readFile(file, 'utf8').then(JSON.parse, () => undefined).catch(() => undefined)
  return manifest?.version === VERSION && manifest.seed === SEED ? manifest : undefined
}

async function isWhole (file: string, { bytes, crc32: expected }: Manifest, signal: AbortSignal): Promise<boolean> {
  if ((await stat(file).catch(() => undefined))?.size !== bytes) return false
  let sum = 0
  for await (const piece of createReadStream(file, { highWaterMark: 1 << 20, signal })) sum = crc32(piece, sum)
  return sum === expected
}

/** Files get their names when they are whole, the manifest last. So whatever is interrupted is made anew. */
async function create (file: string, { folder, megabytes, progress, signal }: DatasetOptions): Promise<Manifest> {
  const rows = rowsOf(megabytes)
  const { bavail, bsize } = await statfs(folder)
  if (bavail * bsize < megabytes * 1e6) throw noRoom(folder, megabytes)
  const part = `${file}.${process.pid}.part`
  try {
    const written = await write(part, rows, { signal, progress: bytes => progress(`generating the dataset: ${Math.round(bytes / 1e6)} of ${megabytes} MB`) })
    const manifest = { version: VERSION, seed: SEED, rows, ...written }
    await rename(part, file)
    await writeFile(`${part}.json`, JSON.stringify(manifest, undefined, 2))
    await rename(`${part}.json`, `${file}.json`)
    return manifest
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ENOSPC' ? noRoom(folder, megabytes) : error
  } finally {
    await Promise.all([part, `${part}.json`].map(path => rm(path, { force: true })))
  }
}

async function write (file: string, rows: number, { progress, signal }: { progress: (bytes: number) => void, signal: AbortSignal }): Promise<Pick<Manifest, 'bytes' | 'crc32' | 'totals'>> {
  await using handle = await open(file, 'w')
  const batches = encode(generate(rows, SEED))
  let sum = 0
  let bytes = 0
  let told = 0
  for (;;) {
    signal.throwIfAborted()
    const { done, value } = batches.next()
    if (done === true) {
      await handle.sync()
      return { bytes, crc32: sum, totals: value }
    }
    sum = crc32(value, sum)
    await handle.appendFile(value)
    bytes += value.length
    if (bytes - told >= 100e6) progress(told = bytes)
  }
}

/** The writer's own streams take all there is, however slow the reader: a file of 847 MB would be held in memory. */
class Pieces extends AsyncByteQueue {
  pieces: Uint8Array[] = []
  override write (piece: Uint8Array): void { this.pieces.push(piece) }
}

/** The stream, a batch at a time. */
function * encode (batches: Generator<RecordBatch, Totals>): Generator<Uint8Array, Totals> {
  const sink = new Pieces()
  const writer = new RecordBatchStreamWriter().reset(sink as never)
  for (;;) {
    const { done, value } = batches.next()
    if (done === true) writer.finish()
    else writer.write(value)
    yield Buffer.concat(sink.pieces.splice(0))
    if (done === true) return value
  }
}

async function removeStale (folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!/\.part(\.json)?$/.test(name)) continue
    const path = join(folder, name)
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }))
    if (Date.now() - mtimeMs > STALE_MS) await rm(path, { force: true })
  }
}

const noRoom = (folder: string, megabytes: number): Error =>
  new Error(`there is no room for the dataset of ${megabytes} MB in ${folder}: make some, or choose another folder with --data FOLDER, or a smaller dataset with --megabytes N`)
