import assert from 'node:assert/strict'
import { compileSchema } from '../../src/execute/schema.ts'
import { it } from 'node:test'
import { createDirectory } from '../../src/discover/directory.ts'
import { keyOfSeed } from '../../src/identity/keys.ts'
import { createSigner } from '../../src/identity/signer.ts'
import { createMemoryLog } from '../../src/store/memory.ts'
import { newId } from '../../src/wire/id.ts'
import { clock, keepingLogger, startNode } from '../net/support.ts'
import { randomBytes } from 'node:crypto'

it('capabilities too large to be advertised are said to be, and end nothing', async t => {
  const { net } = await startNode(t)
  const logger = keepingLogger()
  const signer = createSigner({ root: keyOfSeed(randomBytes(32)), peerId: net.peerId, clock })
  t.after(() => { signer.close() })
  const directory = createDirectory({ net, clock, logger, values: createMemoryLog({ clock }).values, protocols: [], compileSchema })
  const capabilities = [{ name: 'data.x', version: 1, description: 'x'.repeat(100_000) }]
  const advertised = directory.advertise({ author: { agentId: signer.agentId, newId, now: clock.now }, signer, name: 'a', load: () => 0, capabilities: () => capabilities })
  await assert.rejects(advertised, { code: 'MESSAGE_TOO_LARGE' })
  await directory.close()
  assert.deepEqual(logger.lines.filter(({ level }) => level === 'error').map(({ what }) => what), ['an agent cannot be advertised: its capabilities are too large'])
})
