import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, open, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import { Table, tableFromArrays, tableFromIPC, tableToIPC, Utf8, vectorFromArray } from 'apache-arrow'
import { check, sumsBy } from '../../examples/revenue-847mb/check.ts'
import { openDataset, type Dataset } from '../../examples/revenue-847mb/dataset.ts'
import { sumRevenue, type Revenue } from '../../examples/revenue-847mb/revenue.ts'

const main = join(import.meta.dirname, '../../examples/revenue-847mb/main.ts')
const signal = new AbortController().signal
let folder: string
let dataset: Dataset
let bytes: Buffer
const told: string[] = []
const inFolder = (data: string, megabytes = 3): Promise<Dataset> => openDataset({ folder: data, megabytes, signal, progress: line => told.push(line) })

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'a2a-test-sales-'))
  dataset = await inFolder(folder)
  bytes = await readFile(dataset.file)
})
after(() => rm(folder, { recursive: true, force: true }))

/** The bytes in pieces of these sizes, again and again. */
async function * inPieces (whole: Uint8Array, ...sizes: number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, i = 0; at < whole.length; i++) yield whole.subarray(at, at += sizes[i % sizes.length] ?? 1)
}

/** The dataset with another day in its first line. */
function withDay (day: number): Uint8Array {
  const table = tableFromIPC(bytes)
  const days = table.getChild('sold_on')?.data[0]?.values as Int32Array
  days[0] = day
  return tableToIPC(table, 'stream')
}

describe('the dataset', () => {
  test('is the same on every machine, and as large as was asked for', () => {
    assert.deepEqual({ rows: dataset.rows, bytes: dataset.bytes, crc32: dataset.crc32 }, { rows: 46_864, bytes: 3_002_408, crc32: 4_232_979_528 })
    assert.equal(bytes.length, dataset.bytes)
  })

  test('is read by Arrow itself, a line as it should be', () => {
    const table = tableFromIPC(bytes)
    assert.equal(table.numRows, dataset.rows)
    for (const row of [0, 30_000, dataset.rows - 1]) {
      const sale = table.get(row)?.toJSON() ?? {}
      assert.equal(sale.tax_cents, Math.floor((sale.units * sale.price_cents - sale.discount_cents) / 5))
      assert.ok(sale.discount_cents < sale.price_cents && sale.price_cents <= sale.list_price_cents)
      assert.match(sale.region, /^[A-Z]/)
    }
    assert.equal(new Date(table.get(0)?.sold_on).toISOString().slice(0, 10), '2023-01-01')
    assert.equal(new Date(table.get(dataset.rows - 1)?.sold_on).toISOString().slice(0, 10), '2025-12-31')
  })

  test('is kept, and not made twice', async () => {
    const { ino } = await stat(dataset.file)
    assert.deepEqual(await inFolder(folder), dataset)
    assert.equal((await stat(dataset.file)).ino, ino)
  })

  for (const [what, harm] of [
    ['one byte is another', async (file: string) => {
      await using handle = await open(file, 'r+')
      await handle.write(Buffer.from([0xff ^ (bytes[1_000_000] ?? 0)]), 0, 1, 1_000_000)
    }],
    ['the end is missing', (file: string) => truncate(file, 1_000)],
    ['the file is gone', (file: string) => rm(file)],
    ['its description is half-written', (file: string) => writeFile(`${file}.json`, '{"version":1,"se')]
  ] as const) {
    test(`is made anew when ${what}`, async () => {
      const damaged = await mkdtemp(join(folder, 'damaged-'))
      const file = join(damaged, 'sales-3mb.arrows')
      await copyFile(dataset.file, file)
      await copyFile(`${dataset.file}.json`, `${file}.json`)
      await harm(file)
      assert.deepEqual(await inFolder(damaged), { ...dataset, file })
      assert.ok(bytes.equals(await readFile(file)))
    })
  }

  test('leaves nothing half-written behind, and takes away what others left', async () => {
    const left = join(folder, 'sales-1mb.arrows.1.part')
    await writeFile(left, 'half')
    await utimes(left, 0, 0)
    const stopped = new AbortController()
    stopped.abort(new Error('stopped'))
    await assert.rejects(openDataset({ folder, megabytes: 1, signal: stopped.signal, progress: () => {} }), /stopped/)
    assert.deepEqual((await readdir(folder)).filter(name => name.startsWith('sales-1mb')), [])
  })

  test('says so when there is no room', async () => {
    await assert.rejects(inFolder(folder, 1e12), /there is no room for the dataset of 1000000000000 MB in .*--data FOLDER/)
  })
})

describe('the sums', () => {
  let revenue: Revenue
  before(async () => { revenue = await sumRevenue(inPieces(bytes, 1 << 20)) })

  test('are those of SQL over the same lines, read by Arrow, to the cent', async () => {
    const table = tableFromIPC(bytes)
    const instance = await DuckDBInstance.create(':memory:')
    const connection = await instance.connect()
    try {
      await connection.run('CREATE TABLE sale (sold_on DATE, category VARCHAR, region VARCHAR, units BIGINT, price BIGINT, discount BIGINT)')
      const appender = await connection.createAppender('sale')
      for (const sale of table) {
        appender.appendVarchar(new Date(sale.sold_on).toISOString().slice(0, 10))
        appender.appendVarchar(sale.category)
        appender.appendVarchar(sale.region)
        for (const number of [sale.units, sale.price_cents, sale.discount_cents]) appender.appendBigInt(BigInt(number))
        appender.endRow()
      }
      appender.closeSync()
      const result = await connection.runAndReadAll(`
        SELECT strftime(sold_on, '%Y-%m') AS month, category, region, sum(units * price - discount)::BIGINT AS cents
        FROM sale GROUP BY ALL`)
      const expected = new Map(result.getRowObjects().map(({ month, category, region, cents }) => [`${month} ${category} ${region}`, Number(cents)]))
      const { months, categories, regions, cents } = revenue
      const found = new Map(months.flatMap((month, m) => categories.flatMap((category, c) => regions.map((region, r) =>
        [`${month} ${category} ${region}`, cents[(m * categories.length + c) * regions.length + r] ?? NaN] as const))).filter(([, sum]) => sum !== 0))
      assert.ok(expected.size > 1_000)
      assert.deepEqual([...found].sort(), [...expected].sort())
    } finally {
      connection.closeSync()
      instance.closeSync()
    }
  })

  test('are the same in whatever pieces the bytes come', async () => {
    for (const sizes of [[bytes.length], [1_048_575], [7, 65_537, 1, 3], [61]]) assert.deepEqual(await sumRevenue(inPieces(bytes, ...sizes)), revenue, String(sizes))
  })

  test('need no piece once the next one is asked for', async () => {
    async function * lent (): AsyncGenerator<Uint8Array> {
      for await (const piece of inPieces(bytes, 1 << 20)) {
        const copy = new Uint8Array(piece)
        yield copy
        copy.fill(0xff)
      }
    }
    assert.deepEqual(await sumRevenue(lent()), revenue)
  })

  test('are those that the generator counted, and a figure that is not is found', () => {
    check(revenue, dataset)
    assert.equal(revenue.months.length, 36)
    for (const wrong of [{ ...revenue, rows: 1 }, { ...revenue, cents: revenue.cents.with(77, 1) }, { ...revenue, regions: revenue.regions.toReversed() }]) assert.throws(() => check(wrong, dataset), /but/)
    const total = (side: 'month' | 'region'): number => Object.values(sumsBy(revenue, side)).reduce((sum, cents) => sum + cents, 0)
    assert.equal(total('month'), total('region'))
  })

  for (const [what, stream, says] of [
    ['stops in the middle', () => bytes.subarray(0, 2_000_000), /ends too early/],
    ['is empty', () => new Uint8Array(), /ends too early/],
    ['is something else', () => Buffer.from('order_id,category\n1,Books\n'), /no stream of Arrow batches/],
    ['lacks a column', () => tableToIPC(tableFromArrays({ sold_on: new Int32Array(3) }), 'stream'), /no column category as it should be/],
    ['has a day that is none', () => withDay(40_000), /a day that is none: 40000/],
    ['has a day before 1970', () => withDay(-1), /a day that is none: -1/],
    ['has text of any length', () => tableToIPC(new Table({ note: vectorFromArray(['a', 'bcd'], new Utf8()) }), 'stream'), /not all of one width/]
  ] as const) {
    test(`are refused of a stream that ${what}`, () => assert.rejects(sumRevenue(inPieces(stream(), 1_000)), says))
  }
})

test('a stream that is refused is let go', async () => {
  const source = inPieces(Buffer.alloc(100_000, 7), 1_000)
  await assert.rejects(sumRevenue(source), /no stream of Arrow batches/)
  assert.equal((await source.next()).done, true)
})

describe('four processes', () => {
  const run = async (data: string): Promise<{ code: number, stdout: string, stderr: string }> =>
    await promisify(execFile)(process.execPath, [main, '--megabytes', '3', '--data', data], { cwd: data, timeout: 60_000 })
      .then(printed => ({ code: 0, ...printed }), (error: { code: number, stdout: string, stderr: string }) => error)

  test('go from the question to the picture: first everything moves, then nothing', async () => {
    const { code, stdout, stderr } = await run(folder)
    assert.equal(code, 0, stderr)
    assert.match(stdout, /analyst offers +│ cost 20, 5,000 ms │ +cost 1, 100 ms/)
    assert.match(stdout, /first bytes +│ +[\d,]+ ms │ +– │/)
    assert.match(stdout, /moved +│ +3\.0 MB │ +nothing/)
    assert.match(stdout, /picture here +│ +[\d,]+ ms │ +[\d,]+ ms │/)
    assert.match(await readFile(join(folder, 'out/revenue-847mb.svg'), 'utf8'), /^<svg [\s\S]*Electronics/)
  })

  test('say so and fail when a figure is wrong', async () => {
    const wrong = await mkdtemp(join(folder, 'wrong-'))
    await copyFile(dataset.file, join(wrong, 'sales-3mb.arrows'))
    const manifest = JSON.parse(await readFile(`${dataset.file}.json`, 'utf8'))
    manifest.totals.region.Asia++
    await writeFile(join(wrong, 'sales-3mb.arrows.json'), JSON.stringify(manifest))
    const { code, stdout, stderr } = await run(wrong)
    assert.equal(code, 1)
    assert.match(stderr, /no picture: revenue of Asia is \d+ cents, but should be \d+/)
    assert.equal(stdout, '')
  })
})
