/** `find --watch` as its users have it: processes that come, die and say goodbye. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createMesh, LOOPBACK } from '../support/processes.ts'

const upper = ['--capability', 'text.case.upper', '--exec', 'tr a-z A-Z']

it('tells who comes, who says goodbye and who dies, and ends with 0 at Ctrl-C', async () => {
  await using mesh = createMesh()
  const [asker, first] = await Promise.all([mesh.start('asker'), mesh.start('first', upper)])
  const watch = mesh.stream(['find', 'text.*', '--watch', '--json', '--home', asker.home])
  await watch.event(({ change, agent }) => change === 'found' && agent.name === 'first')
  const second = await mesh.start('second', upper)
  await watch.event(({ change, agent }) => change === 'found' && agent.name === 'second')
  await first.stop()
  assert.equal((await watch.event(({ change, agent }) => change === 'left' && agent.name === 'first')).why, 'farewell')
  second.signal('SIGKILL')
  assert.equal((await watch.event(({ change, agent }) => change === 'left' && agent.name === 'second')).why, 'unreachable')
  watch.child.kill('SIGINT')
  const { code, stderr } = await watch.finished
  assert.equal(code, 0, stderr)
})

it('needs no running node, and prints lines for people', async () => {
  await using mesh = createMesh()
  await mesh.start('first', upper)
  const watch = mesh.stream(['find', 'text.case.upper', '--watch', '--home', mesh.home('nobody'), ...LOOPBACK])
  while (!watch.output().includes('\n')) await new Promise(resolve => { setTimeout(resolve, 20) })
  watch.child.kill('SIGINT')
  const { code, stdout } = await watch.finished
  assert.equal(code, 0)
  assert.match(stdout, /^\d\d:\d\d:\d\d \+ found   …\w{8} first {2}text\.case\.upper {2}\(load 0 %, heard .* ago from direct\)\n$/)
})
