/** A process of measure-poison.ts: agents that echo, or one that dies of what it is asked. */
import { flushCompileCache } from 'node:module'
import { join } from 'node:path'
import { createNode, execHandler } from '../src/index.ts'

const { FOLDER = '', NAME = '', AGENTS = '1', GOOD = '', BAD = '', BAD_PROGRAM = '' } = process.env
const good = GOOD.split(' ')
const node = await createNode({ name: NAME, home: join(FOLDER, NAME), rendezvous: join(FOLDER, 'rendezvous'), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false })
if (NAME === 'poison') {
  await node.agents[0]?.provide(BAD, { run: () => { process.kill(process.pid, 'SIGKILL') } })
} else {
  for (let n = 0; n < Number(AGENTS); n++) {
    const agent = n === 0 ? node.agents[0] : await node.createAgent()
    if (n === 0 && NAME === 'worker-0') await agent?.provide(BAD_PROGRAM, { run: execHandler('kill -9 $$') })
    await agent?.provide(good[n % good.length] as string, { run: input => input })
  }
}
process.on('disconnect', () => { process.exit() })
// As the command line does: who starts again need not compile everything again.
flushCompileCache()
process.send?.('ready')
