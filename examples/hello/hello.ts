/** Two agents on this machine: one greets, the other finds it by what it can do. Run: node examples/hello/hello.ts */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAgent } from 'a2a-node'

const folder = await mkdtemp(join(tmpdir(), 'a2a-hello-'))
const loopback = { listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, rendezvous: join(folder, 'rendezvous') }

const greeter = await createAgent({ ...loopback, name: 'greeter', home: join(folder, 'greeter') })
await greeter.provide<{ name: string }>('text.greeting.write', { run: ({ name }) => `Hello, ${name}!` })

const asker = await createAgent({ ...loopback, name: 'asker', home: join(folder, 'asker') })
await asker.node.joined()
const { output, receipt } = await asker.delegate('text.greeting.write', { name: 'mesh' }).result
console.log(output, receipt.verified ? '(receipt signed by both)' : '')

await asker[Symbol.asyncDispose]()
await greeter[Symbol.asyncDispose]()
await rm(folder, { recursive: true })
