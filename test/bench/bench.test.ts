/** A quick run for real, with what needs nothing from outside. */
import { describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runBench } from '../../src/bench/bench.ts'
import { writeReport } from '../../src/bench/render/write.ts'
import { handshake } from '../../src/bench/sections/handshake.ts'
import { oneWay } from '../../src/bench/sections/one-way.ts'
import { requests } from '../../src/bench/sections/requests.ts'
import { soak } from '../../src/bench/sections/soak.ts'
import { delegation } from '../../src/bench/sections/delegation.ts'
import { subjectOf, SUBJECTS } from '../../src/bench/subjects/all.ts'
import type { Subject } from '../../src/bench/subject.ts'

const OURS = [subjectOf('a2a-node'), subjectOf('tcp'), subjectOf('libp2p')]
const command = 'a test'
const folders = (): string[] => readdirSync(tmpdir()).filter(name => name.startsWith('a2a-bench-'))

/** Not to be found, and not to be started: what a machine without some peer has. */
const absent: Subject = { ...subjectOf('grpc'), title: 'absent', packages: ['a2a-node-no-such-package', 'node'] }
const broken: Subject = { ...subjectOf('tcp'), id: 'broken', title: 'broken' }

describe('a quick run', () => {
  it('measures ours beside the others, says who is missing and who failed, and leaves nothing behind', async () => {
    const before = folders()
    const report = await runBench({ quick: true, sections: [requests, oneWay, handshake], subjects: [...OURS, absent, broken], command })
    const names = OURS.map(({ title }) => title)
    assert.deepEqual(report.tables.map(({ id, rows }) => [id, rows.map(({ name }) => name)]), [['latency', names], ['throughput', names], ['cost', names], ['one-way', names], ['handshake', names]])
    for (const { id, columns, rows } of report.tables) {
      for (const { name, figures, rounds } of rows) {
        assert.equal(rounds.length, 1, `${id} ${name}`)
        for (const { key } of columns) assert.ok((figures[key] ?? NaN) > 0 || process.platform !== 'linux', `${id} ${name} ${key}: ${figures[key]}`)
      }
    }
    const [latency, , cost] = report.tables
    for (const { name, figures: { p50Us = 0, p99Us = 0, perSecond = 0 } } of latency?.rows ?? []) {
      assert.ok(p99Us >= p50Us, name)
      // One at a time: as many as fit into a second.
      assert.ok(perSecond < 1.2e6 / p50Us * 2, `${name}: ${perSecond} of ${p50Us}`)
    }
    // 300 bytes there and back, each with a length before it, and nothing else.
    if (process.platform === 'linux') assert.ok(Math.abs((cost?.rows.find(({ name }) => name === 'raw TCP echo')?.figures.wire64 ?? 0) - 608) < 8, JSON.stringify(cost?.rows))
    assert.deepEqual(report.missing, [{ subject: 'absent', get: 'a2a-node-no-such-package and node; get it with: npm install --no-save a2a-node-no-such-package node' }])
    assert.deepEqual([...new Set(report.failures.map(({ subject }) => subject))], ['broken'])
    assert.match(report.failures[0]?.why ?? '', /there is no subject broken/)
    assert.deepEqual(report.ratios.map(({ what }) => what), [
      'round trip p50: a2a-node / bare libp2p stream', 'round trip of a2a-node: p99 / p50', 'one-way: a2a-node / bare libp2p stream, single sends'
    ])
    assert.equal(report.versions.libp2p, '3.3.11')
    assert.deepEqual(folders(), before)
    assert.deepEqual(childrenOf(process.pid), [])

    const folder = mkdtempSync(join(tmpdir(), 'a2a-report-'))
    try {
      const files = writeReport(report, folder)
      assert.deepEqual(files.map(file => file.slice(folder.length + 1)), ['benchmarks.md', ...['latency', 'throughput', 'one-way', 'handshake'].map(id => `benchmarks/${id}.svg`)])
      assert.match(readFileSync(files[0] ?? '', 'utf8'), /^# Benchmarks/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('delegates for real: three bids each, receipts checked', async () => {
    const report = await runBench({ quick: true, sections: [delegation], subjects: [subjectOf('a2a-node')], command })
    assert.deepEqual(report.failures, [])
    assert.deepEqual(report.tables.map(({ rows }) => rows.map(({ name }) => name)), [['find, known here', 'find, offered just now', 'announce to award', 'full delegation'], ['a2a-node']])
  })

  it('soaks: every message comes once', async () => {
    const report = await runBench({ sections: [soak(4_000)], subjects: [subjectOf('a2a-node')], command })
    assert.deepEqual(report.failures, [])
    const [row] = report.tables[0]?.rows ?? []
    assert.deepEqual([row?.figures.sent, row?.figures.lost, row?.figures.doubled, row?.figures.wrong], [4_000, 0, 0, 0])
  })

  it('ends with the signal, with what it has', async () => {
    const stop = new AbortController()
    const before = folders()
    const report = await runBench({ quick: true, rounds: 50, sections: [requests, oneWay], subjects: [subjectOf('tcp')], command, signal: stop.signal, onProgress: text => { if (text.startsWith('round 2')) stop.abort() } })
    assert.equal(report.interrupted, true)
    assert.deepEqual(report.failures, [])
    assert.deepEqual(report.unmeasured, [{ section: 'requests', title: 'Request and reply', begun: true }, { section: 'one-way', title: 'One-way messages', begun: false }])
    assert.equal(report.tables.find(({ id }) => id === 'latency')?.rows[0]?.rounds.length, 1)
    assert.deepEqual(folders(), before)
    assert.deepEqual(childrenOf(process.pid), [])
  })
})

describe('the subjects', () => {
  it('have names of their own', () => {
    assert.equal(new Set(SUBJECTS.map(({ id }) => id)).size, SUBJECTS.length)
    assert.equal(new Set(SUBJECTS.map(({ title }) => title)).size, SUBJECTS.length)
  })
})

describe('a2a-node bench', () => {
  it('takes its processes along when it is interrupted', { skip: process.platform !== 'linux' }, async () => {
    const child = spawn(process.execPath, [join(import.meta.dirname, '../../src/cli/main.ts'), 'bench', '--quick', '--only', 'requests,one-way'], { stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    let shown = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => { shown += text })
    let measured: number[] = []
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (!said.includes('raw TCP echo') || measured.length > 0) return
      measured = childrenOf(child.pid ?? 0)
      child.kill('SIGINT')
    })
    const [code] = await once(child, 'close') as [number]
    assert.equal(code, 130)
    assert.match(shown, /not measured +Request and reply \(only in part\), One-way messages/)
    assert.ok(measured.length >= 2, said)
    for (const pid of measured) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
  })

  it('names the sections when there is none of that name', async () => {
    const child = spawn(process.execPath, [join(import.meta.dirname, '../../src/cli/main.ts'), 'bench', '--only', 'everything'], { stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => { said += text })
    const [code] = await once(child, 'close') as [number]
    assert.equal(code, 2)
    assert.match(said, /there is no section everything; there are requests, one-way/)
  })
})

/** Linux only; elsewhere there are none to be seen. */
function childrenOf (parent: number): number[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number).filter(pid => {
    try {
      return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1]) === parent
    } catch {
      return false
    }
  })
}
