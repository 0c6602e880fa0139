import assert from 'node:assert/strict'
import { it } from 'node:test'
import { nextTraceparent } from '../../src/wire/trace.ts'

it('a step has an id of its own, and keeps that of its trace and what was decided about it', () => {
  const first = nextTraceparent()
  assert.match(first, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  const next = nextTraceparent('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00')
  assert.match(next, /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-00$/)
  assert.notEqual(next.slice(36, 52), 'b7ad6b7169203331')
})

it('what is no trace begins a new one', () => {
  for (const bad of ['', 'nonsense', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`, `00-0af7651916cd43dd8448eb211c80319c-${'0'.repeat(16)}-01`]) {
    assert.match(nextTraceparent(bad), /^00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  }
})
