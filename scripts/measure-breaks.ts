/**
 * What is sent twice when a transfer breaks: `node scripts/measure-breaks.ts [--mb 847] [--breaks 20] [--dir DIR]`. One file, fetched by a
 * process that is killed at random points and started again. Prints the bytes that the sender gave beyond those of the file, and
 * checks the copy by its hash. Put `--dir` on a disk that keeps up, or in memory.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, createReadStream, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createAgent, createNode, type ContentRef, type NodeOptions, type ReceivedFile } from 'a2a-node'
import { numberOf } from './numbers.ts'

const { values } = parseArgs({ options: { mb: { type: 'string', default: '847' }, breaks: { type: 'string', default: '20' }, dir: { type: 'string', default: tmpdir() }, role: { type: 'string' }, folder: { type: 'string', default: '' } } })

const partsIn = (folder: string, name: string): NodeOptions =>
  ({ name, home: join(folder, name), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, rendezvous: join(folder, 'rendezvous') })

async function sender (folder: string): Promise<void> {
  const node = await createNode(partsIn(folder, 'sender'))
  const ref = await node.content.send(join(folder, 'data'))
  process.on('message', async () => { process.send?.({ served: (await node.content.list())[0]?.servedBytes }) })
  process.send?.({ ref })
}

async function receiver (folder: string): Promise<void> {
  const agent = await createAgent(partsIn(folder, 'receiver'))
  process.once('message', async (ref: ContentRef) => {
    const received = await agent.receive(ref, { file: join(folder, 'copy'), onProgress: ({ bytes }) => process.send?.({ bytes }) })
    process.send?.({ received })
  })
  process.send?.({ ready: true })
}

interface Said { ref?: ContentRef, served?: number, received?: ReceivedFile, bytes?: number }

const start = (role: string, folder: string): ChildProcess => fork(import.meta.filename, ['--role', role, '--folder', folder])

function heard<K extends keyof Said> (child: ChildProcess, key: K): Promise<NonNullable<Said[K]>> {
  return new Promise((resolve, reject) => {
    child.on('message', (said: Said) => { if (said[key] !== undefined) resolve(said[key] as NonNullable<Said[K]>) })
    child.once('exit', code => { reject(new Error(`a process ended with ${code}`)) })
  })
}

async function kill (child: ChildProcess): Promise<void> {
  child.removeAllListeners()
  child.kill('SIGKILL')
  await once(child, 'exit')
}

async function hashOf (file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(piece as Buffer)
  return hash.digest('hex')
}

/** One attempt, killed when so much is there. @returns what it received when it came to its end before that */
async function attempt (ref: ContentRef, folder: string, until: number): Promise<ReceivedFile | undefined> {
  const child = start('receiver', folder)
  try {
    await once(child, 'message')
    const reached = new Promise<undefined>(resolve => {
      child.on('message', ({ bytes = 0 }: Said) => { if (bytes >= until) resolve(undefined) })
    })
    const whole = heard(child, 'received')
    whole.catch(() => {})
    child.send(ref)
    return await Promise.race([reached, whole])
  } finally {
    await kill(child)
  }
}

async function measure (): Promise<void> {
  const bytes = numberOf('mb', values.mb) * 1e6
  const folder = mkdtempSync(join(values.dir, 'a2a-breaks-'))
  const from = openSync(join(folder, 'data'), 'w')
  for (let written = 0; written < bytes; written += 1e6) writeSync(from, randomBytes(Math.min(1e6, bytes - written)))
  closeSync(from)
  const child = start('sender', folder)
  try {
    const ref = await heard(child, 'ref')
    const points = Array.from({ length: numberOf('breaks', values.breaks) }, () => Math.random() * bytes).sort((a, b) => a - b)
    let breaks = 0
    for (const until of [...points, Infinity]) {
      const received = await attempt(ref, folder, until)
      if (received === undefined) breaks++
      else if (until === Infinity) console.log(`the last attempt found ${(received.resumedBytes / 1e6).toFixed(1)} MB`)
    }
    const served = heard(child, 'served')
    child.send('served')
    const twice = await served - bytes
    const holds = await hashOf(join(folder, 'data')) === await hashOf(join(folder, 'copy'))
    console.log(`${breaks} breaks: ${(twice / 1e6).toFixed(2)} MB sent twice, ${(100 * twice / bytes).toFixed(2)} %; the copy ${holds ? 'holds' : 'IS NOT THE SAME'}`)
    if (!holds) process.exitCode = 1
  } finally {
    await kill(child)
    rmSync(folder, { recursive: true, force: true })
  }
}

if (values.role === undefined) await measure()
else await (values.role === 'sender' ? sender : receiver)(values.folder)
