/** What is shown is what was measured: medians, ratios, tables, charts. */
import { describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { chartOf } from '../../src/bench/render/chart.ts'
import { figure, goal } from '../../src/bench/render/figure.ts'
import { markdownOf } from '../../src/bench/render/markdown.ts'
import { isMet, ratioOf, rowsOf, type Report, type Table } from '../../src/bench/report.ts'
import { median, medians, percentile } from '../../src/bench/stats.ts'
import { sumAcked } from '../../src/bench/traffic.ts'

const table: Table = {
  id: 'speed', section: 'requests', title: 'Speed', head: 'subject', notes: ['Of a test.'], chart: { key: 'perSecond', better: 'more' },
  columns: [{ key: 'perSecond', title: 'requests', unit: '/s' }, { key: 'p50Us', title: 'p50', unit: 'µs' }],
  rows: rowsOf([
    { name: 'a2a-node', figures: { perSecond: 400, p50Us: 20 } },
    { name: 'other & <sons>', figures: { perSecond: 100, p50Us: 10 } },
    { name: 'a2a-node', figures: { perSecond: 100, p50Us: 30_000 } },
    { name: 'other & <sons>', figures: { perSecond: 50 } },
    { name: 'a2a-node', figures: { perSecond: 300, p50Us: 25 } },
    { name: 'other & <sons>', figures: { perSecond: 200, p50Us: 12 } }
  ])
}
const report: Report = {
  at: '2026-01-02T03:04:05.678Z', command: 'npx a2a-node bench', quick: false, rounds: 3, interrupted: false, unmeasured: [],
  machine: { cpu: 'A processor', cores: 2, memoryBytes: 8 * 2 ** 30, os: 'Linux', node: '24.0.0', loadBefore: 0.01 }, versions: { 'a2a-node': '1.2.3' },
  missing: [{ subject: 'A peer', get: 'peer; get it with: npm install --no-save peer' }], failures: [{ section: 'bulk', subject: 'B', why: 'it | broke' }],
  ratios: [{ what: 'ours / theirs', value: 1.5, least: 2 }], sections: [{ id: 'requests', title: 'Requests' }], tables: [table]
}

describe('figures', () => {
  it('are medians of their rounds, each of those that have it', () => {
    assert.equal(median([3, 1, 2]), 2)
    assert.equal(median([4, 1, 2, 3]), 2.5)
    assert.ok(Number.isNaN(median([])))
    assert.deepEqual(medians([{ a: 1, b: undefined }, { a: 3, b: 5 }, { a: 2 }]), { a: 2, b: 5 })
    assert.deepEqual(table.rows.map(({ figures }) => figures), [{ perSecond: 300, p50Us: 25 }, { perSecond: 100, p50Us: 11 }])
  })

  it('have percentiles by nearest rank', () => {
    assert.deepEqual([0.5, 0.99, 1].map(share => percentile(Array.from({ length: 100 }, (_, i) => i + 1), share)), [50, 99, 100])
  })

  it('are compared round by round, not median by median', () => {
    // 4, 2 and 1.5; the medians alone would say 3.
    assert.equal(ratioOf(table, 'a2a-node', 'other & <sons>', 'perSecond'), 2)
    assert.equal(ratioOf(table, 'a2a-node', 'nobody', 'perSecond'), undefined)
  })

  it('reach a goal or do not', () => {
    assert.deepEqual([{ least: 1 }, { most: 1 }, { least: 1, most: 2 }, {}].map(bounds => isMet({ what: '', value: 1.5, ...bounds })), [true, false, true, undefined])
    assert.equal(goal({ what: '', value: 0, most: 12, unit: 'ms' }), '≤ 12 ms')
  })

  it('are read easily', () => {
    assert.deepEqual(
      [[1.234, ''], [12.34, 'ms'], [123.4, 'µs'], [12_345, 'µs'], [12_345.6, '/s'], [undefined, 'ms'], [Number.NaN, '']].map(([value, unit]) => figure(value as number | undefined, unit as '')),
      ['1.23', '12.3 ms', '123 µs', '12.3 ms', '12,346/s', '–', '–'])
  })

  it('of bytes are added up over the connections of a process only', () => {
    const line = (pid: number, acked: string): string => `0 0 127.0.0.1:1 127.0.0.1:2 users:(("node",pid=${pid},fd=20)) cubic ${acked} segs_out:3`
    const text = [line(12, 'bytes_sent:9 bytes_acked:1000 bytes_received:5'), line(123, 'bytes_acked:7'), line(12, ''), line(45, 'bytes_acked:30')].join('\n')
    assert.equal(sumAcked(text, [12, 45]), 1_030)
    assert.equal(sumAcked(text, [99]), undefined)
  })
})

describe('the chart', () => {
  const svg = chartOf(table) ?? ''
  it('has a bar for each row, as long as its figure', () => {
    const widths = [...svg.matchAll(/<rect[^>]* width="([\d.]+)"/g)].map(([, width]) => Number(width))
    assert.equal(widths.length, 2)
    assert.ok(Math.abs((widths[0] ?? 0) / (widths[1] ?? 0) - 3) < 0.01, String(widths))
    assert.match(svg, />300\/s</)
    assert.match(svg, />100\/s</)
  })
  it('is well-formed, and readable on light and dark pages', () => {
    assert.match(svg, /other &amp; &lt;sons&gt;/)
    assert.match(svg, /prefers-color-scheme: dark/)
  })
  it('is not drawn of nothing', () => {
    assert.equal(chartOf({ ...table, rows: [] }), undefined)
    assert.equal(chartOf({ ...table, chart: undefined }), undefined)
  })
})

describe('the page', () => {
  const page = markdownOf(report, ['speed'])
  it('begins with the ratios, with their goals', () => {
    assert.ok(page.indexOf('| ours / theirs | **1.50** | ≥ 2 | not reached |') > 0)
    assert.ok(page.indexOf('ours / theirs') < page.indexOf('## Requests'))
  })
  it('has every figure of every table, and its chart', () => {
    assert.ok(page.includes('| a2a-node | 300/s | 25.0 µs |'))
    assert.ok(page.includes('| other & <sons> | 100/s | 11.0 µs |'))
    assert.ok(page.includes('![Speed](benchmarks/speed.svg)'))
    assert.ok(page.includes('Of a test.'))
  })
  it('says what is missing, what failed, and how to have it again', () => {
    for (const text of ['get it with: npm install --no-save peer', '| bulk | B | it \\| broke |', '`npx a2a-node bench`', 'A processor, 2 cores', 'a2a-node 1.2.3']) assert.ok(page.includes(text), text)
  })
  it('says when it was in a hurry, or not alone', () => {
    assert.ok(!page.includes('quick run') && !page.includes('was busy'))
    const other = markdownOf({ ...report, quick: true, machine: { ...report.machine, loadBefore: 1.5 } }, [])
    assert.ok(other.includes('quick run') && other.includes('was busy'))
  })
})
