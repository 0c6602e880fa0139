import assert from 'node:assert/strict'
import { it } from 'node:test'
import { A2aError } from '../../src/core/errors.ts'
import { groupCommit } from '../../src/store/group.ts'

/** A group whose commits happen when the test says so. */
function open () {
  const soon: Array<() => void> = []
  let late: { ms: number, commit: () => void } | undefined
  const commits: string[][] = []
  let writing: string[] = []
  const group = groupCommit({
    defer: commit => { soon.push(commit) },
    later: (ms, commit) => {
      late = { ms, commit }
      return () => { late = undefined }
    },
    transaction: writes => {
      writing = []
      writes()
      commits.push(writing)
    },
    isOwnFault: () => false,
    failed: error => new A2aError({ code: 'INTERNAL', why: String(error) })
  })
  const add = (name: string, patienceMs = 0): void => { void group.add(() => writing.push(name), { patienceMs }).catch(() => {}) }
  return { group, add, commits, turn: () => { soon.shift()?.() }, wait: () => { late?.commit() }, waits: () => late?.ms }
}

it('lets patient writes wait for the next that is not, in the order of the calls', () => {
  const { add, commits, turn, waits } = open()
  add('a', 10)
  add('b', 10)
  turn()
  assert.deepEqual([commits, waits()], [[], 10])
  add('c')
  add('d', 10)
  turn()
  assert.deepEqual([commits, waits()], [[['a', 'b', 'c', 'd']], undefined])
})

it('waits as long as the least patient', () => {
  const { add, commits, turn, wait, waits } = open()
  const seen = [250, 10, 250].map((patienceMs, i) => {
    add(String(i), patienceMs)
    return waits()
  })
  assert.deepEqual(seen, [250, 10, 10])
  wait()
  turn()
  assert.deepEqual([commits, waits()], [[['0', '1', '2']], undefined])
})

it('commits patient writes by themselves when nothing comes, and when it closes', () => {
  const { group, add, commits, turn, wait } = open()
  add('a', 10)
  wait()
  turn()
  add('b', 10)
  assert.deepEqual(commits, [['a']])
  group.close()
  assert.deepEqual(commits, [['a'], ['b']])
})
