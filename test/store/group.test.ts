import assert from 'node:assert/strict'
import { it } from 'node:test'
import { A2aError } from '../../src/core/errors.ts'
import { groupCommit } from '../../src/store/group.ts'

/** A group whose commits happen when the test says so. */
function open () {
  const soon: Array<() => void> = []
  let late: (() => void) | undefined
  const commits: string[][] = []
  let writing: string[] = []
  const group = groupCommit({
    defer: commit => { soon.push(commit) },
    later: commit => {
      late = commit
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
  const add = (name: string, patient = false): void => { void group.add(() => writing.push(name), { patient }).catch(() => {}) }
  return { group, add, commits, turn: () => { soon.shift()?.() }, wait: () => { late?.() }, isWaiting: () => late !== undefined }
}

it('lets patient writes wait for the next that is not, in the order of the calls', () => {
  const { add, commits, turn, isWaiting } = open()
  add('a', true)
  add('b', true)
  turn()
  assert.deepEqual([commits, isWaiting()], [[], true])
  add('c')
  add('d', true)
  turn()
  assert.deepEqual([commits, isWaiting()], [[['a', 'b', 'c', 'd']], false])
})

it('commits patient writes by themselves when nothing comes, and when it closes', () => {
  const { group, add, commits, turn, wait } = open()
  add('a', true)
  wait()
  turn()
  add('b', true)
  assert.deepEqual(commits, [['a']])
  group.close()
  assert.deepEqual(commits, [['a'], ['b']])
})
