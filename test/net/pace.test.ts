import assert from 'node:assert/strict'
import { it } from 'node:test'
import { paced } from '../../src/net/pace.ts'

it('what a peer sends beyond its share waits, and what others send does not', async () => {
  const handled: string[] = []
  const handle = paced(async (peer: string, n: number) => { handled.push(`${peer}${n}`) }, peer => peer, { perSecond: 100, burst: 2, peers: 10 })
  const begun = performance.now()
  const loud = (async () => { for (let n = 1; n <= 5; n++) await handle('a', n) })()
  await new Promise(resolve => { setImmediate(resolve) })
  await handle('b', 1)
  assert.deepEqual(handled, ['a1', 'a2', 'b1'])
  await loud
  assert.deepEqual(handled, ['a1', 'a2', 'b1', 'a3', 'a4', 'a5'])
  assert.ok(performance.now() - begun >= 25, 'three of them waited 10 ms each')
})

it('what fails was taken all the same, and says why', async () => {
  const handle = paced(async () => { throw new Error('no values are kept here') }, (peer: string) => peer, { perSecond: 1, burst: 1, peers: 10 })
  await assert.rejects(handle('a', 1), /no values/)
})
