/** Two nodes that meet, live through a heartbeat of gossip, and stop. Nothing here ends the process. */
import { randomBytes } from 'node:crypto'
import { createNet } from '../../src/net/create.ts'
import { clock, keepingLogger, until } from './support.ts'

const [rendezvous = ''] = process.argv.slice(2)
const start = () => createNet({ seed: randomBytes(32), listen: ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws'], mdns: false, rendezvous, credentials: () => [], clock, logger: keepingLogger() })
const a = await start()
const b = await start()
await a.begin()
await b.begin()
await b.joined()
a.gossip.join('t')
b.gossip.join('t')
await until(() => a.gossip.topics()[0]?.subscribers === 1, 'the subscription')
await Promise.all([a[Symbol.asyncDispose](), b[Symbol.asyncDispose]()])
console.log('stopped')
