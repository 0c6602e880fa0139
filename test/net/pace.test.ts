import assert from 'node:assert/strict'
import { it } from 'node:test'
import { bounded, paced } from '../../src/net/pace.ts'
import { until } from './support.ts'

const PLENTY = { perSecond: 10_000, burst: 10_000 }

it('what a peer sends beyond its share waits, and what others send does not', async t => {
  const handled: string[] = []
  let at = 0
  let clock = (): number => at
  // Whatever still waits when this fails is not to keep the process.
  t.after(() => { clock = () => performance.now() })
  const handle = paced(async (peer: string, n: number) => { handled.push(`${peer}${n}`) }, peer => peer, { perSecond: 100, burst: 2, peers: 10, ofAll: PLENTY }, () => clock())
  const loud = (async () => { for (let n = 1; n <= 5; n++) await handle('a', n) })()
  await new Promise(resolve => { setImmediate(resolve) })
  await handle('b', 1)
  assert.deepEqual(handled, ['a1', 'a2', 'b1'])
  for (const n of [3, 4, 5]) {
    at += 9
    await new Promise(resolve => { setTimeout(resolve, 15) })
    assert.equal(handled.length, n, 'it waits for 10 ms')
    at += 1
    await until(() => handled.length > n, `a${n}`)
    assert.equal(handled.at(-1), `a${n}`)
  }
  await loud
})

it('what fails was taken all the same, and says why', async () => {
  const handle = paced(async () => { throw new Error('no values are kept here') }, (peer: string) => peer, { perSecond: 1, burst: 1, peers: 10, ofAll: PLENTY })
  await assert.rejects(handle('a', 1), /no values/)
})

it('what waits is taken in the order it came', async () => {
  const handled: number[] = []
  const handle = paced(async (_peer: string, n: number) => { handled.push(n) }, peer => peer, { perSecond: 200, burst: 1, peers: 10, ofAll: PLENTY })
  const order = Array.from({ length: 20 }, (_, n) => n)
  // Some come just when there is room again.
  await Promise.all(order.map(async n => {
    await new Promise(resolve => { setTimeout(resolve, n * 2) })
    await handle('a', n)
  }))
  assert.deepEqual(handled, order)
})

it('all together are taken no faster than there is time for, and who sends little waits for one of each at most', async () => {
  const handled: string[] = []
  const handle = paced(async (peer: string) => { handled.push(peer) }, peer => peer, { perSecond: 1_000, burst: 100, peers: 100, ofAll: { perSecond: 500, burst: 5 } })
  const loud = Array.from({ length: 10 }, (_, i) => `loud${i}`)
  const begun = performance.now()
  const flood = Promise.all(loud.flatMap(peer => Array.from({ length: 10 }, () => handle(peer, undefined))))
  await new Promise(resolve => { setTimeout(resolve, 20) })
  const before = handled.length
  await handle('quiet', undefined)
  assert.ok(handled.length - before <= loud.length + 2, `${handled.length - before} were taken before it`)
  await flood
  assert.ok(performance.now() - begun >= 180, '96 of 101 waited for 2 ms each')
})

it('no more is sent to a peer at once than it takes, and to others meanwhile', async () => {
  const sent: string[] = []
  const answers = new Map<string, () => void>()
  const send = bounded(async function * (peer: string, n: number) {
    sent.push(`${peer}${n}`)
    await new Promise<void>(resolve => { answers.set(`${peer}${n}`, resolve) })
    if (n === 2) throw new Error('it is gone')
    yield n
  }, peer => peer, 2)
  const ask = async (peer: string, n: number): Promise<number | undefined> => {
    for await (const answer of send(peer, n)) return answer
    return undefined
  }
  const all = Promise.allSettled([ask('a', 1), ask('a', 2), ask('a', 3), ask('a', 4), ask('b', 1)])
  const turn = (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })
  await turn()
  assert.deepEqual(sent, ['a1', 'a2', 'b1'])
  answers.get('a2')?.()
  await turn()
  assert.deepEqual(sent, ['a1', 'a2', 'b1', 'a3'], 'what failed made room')
  answers.get('a1')?.()
  await turn()
  assert.equal(sent.at(-1), 'a4')
  for (const answered of answers.values()) answered()
  assert.deepEqual((await all).map(({ status }) => status), ['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled'])
})
