/** Streams over `kill -9` of either side; scripts/streams.ts does the same a hundred times. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createMesh } from '../support/processes.ts'
import { streamTrials } from '../support/stream-trials.ts'

describe('a stream', () => {
  it('that is resumed after kill -9 of either side has every event once and in order', async () => {
    const { violations, killed, trials, resumed } = await streamTrials({ times: 4, seed: 3, parts: 60, forMs: 600, jobsEach: 3 })
    assert.deepEqual(violations, [])
    assert.equal(trials, 4)
    assert.ok(killed.requester > 0 && killed.provider > 0 && resumed > 0, JSON.stringify({ killed, resumed }))
  })

  it('is resumed on the command line after the number that was read last', async () => {
    await using mesh = createMesh()
    await mesh.start('one', ['--module', `${import.meta.dirname}/../support/streamer.ts`])
    const { home } = await mesh.start('asker')
    const { events } = await mesh.a2a(['run', 'stream.numbers.count', '--input', '{"parts":3,"forMs":1}', '--json', '--home', home])
    assert.deepEqual(events.map(({ seq }) => seq), events.map((_, i) => i + 1))
    const resume = (after: number) => mesh.a2a(['task', 'resume', events[0].task_id, '--after', `${after}`, '--json', '--home', home])
    assert.deepEqual((await resume(2)).events, events.slice(2))
    const over = await resume(events.length)
    assert.deepEqual([over.code, over.stdout], [0, ''])
  })
})
