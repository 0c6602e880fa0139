import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { renderChart } from '../../examples/revenue-analysis/chart.ts'
import { choose, clean } from '../../examples/revenue-analysis/films.ts'
import { sumBy, type Sum } from '../../examples/revenue-analysis/sums.ts'
import { pivot, renderTable } from '../../examples/revenue-analysis/table.ts'

const source: Array<Record<string, unknown>> = JSON.parse(readFileSync(new URL('../../node_modules/vega-datasets/data/movies.json', import.meta.url), 'utf8'))
const { films, repairs } = clean(source)

describe('cleaning the films', () => {
  test('moves dates that are a century too late, and no others', () => {
    assert.equal(films.find(film => film.title === 'Gone with the Wind')?.year, 1939)
    assert.equal(films.find(film => film.title === 'The Birth of a Nation')?.year, 1915)
    assert.equal(films.find(film => film.title === 'Avatar')?.year, 2009)
    assert.equal(repairs.centuries, 22)
    assert.ok(films.every(({ year }) => year !== null && year >= 1915 && year <= 2011))
  })

  test('makes titles of numbers, and calls a missing genre Unclassified', () => {
    assert.ok(films.some(film => film.title === '2012'))
    assert.ok(films.every(film => typeof film.title === 'string'))
    assert.equal(repairs.numberTitles, 9)
    assert.equal(films.filter(film => film.genre === 'Unclassified').length, repairs.noGenre)
  })

  test('takes a gross of nothing as unknown', () => {
    assert.equal(repairs.unknownGrosses, 54)
    assert.equal(films.filter(film => film.worldwideGross === null).length, 54)
  })

  test('gives only the columns and years asked for', () => {
    const chosen = choose(films, ['title', 'year'], 2011)
    assert.deepEqual(chosen.map(film => Object.keys(film)), chosen.map(() => ['title', 'year']))
    assert.equal(chosen.length, 2)
    assert.ok(Buffer.byteLength(JSON.stringify(choose(films, ['genre', 'year', 'worldwideGross']))) < 512 * 1024)
  })
})

describe('sums by genre and year', () => {
  /** The same figures, counted without SQL and from the uncleaned source. */
  const counted = (yearFrom: number, yearTo: number): Map<string, { films: number, dollars: number }> => {
    const groups = new Map<string, { films: number, dollars: number }>()
    for (const row of source) {
      const stated = new Date(row['Release Date'] as string).getFullYear()
      const year = stated > 2011 ? stated - 100 : stated
      const dollars = row['Worldwide Gross'] as number | null
      if (year < yearFrom || year > yearTo || !dollars) continue
      const key = `${row['Major Genre'] ?? 'Unclassified'} ${year}`
      const group = groups.get(key) ?? { films: 0, dollars: 0 }
      groups.set(key, { films: group.films + 1, dollars: group.dollars + dollars })
    }
    return groups
  }

  test('are those of an independent count, group by group', async () => {
    for (const [from, to] of [[1995, 2010], [1900, 2011]] as const) {
      const sums = await sumBy(choose(films, ['genre', 'year', 'worldwideGross'], from, to), ['genre', 'year'], 'worldwideGross')
      const expected = counted(from, to)
      assert.equal(sums.length, expected.size)
      for (const { genre, year, films, millions } of sums) {
        const group = expected.get(`${genre} ${year}`)
        assert.equal(films, group?.films)
        assert.ok(Math.abs(millions - (group?.dollars ?? NaN) / 1e6) <= 0.0501, `${genre} ${year}: ${millions}`)
      }
    }
  })

  test('can be grouped by one of the two', async () => {
    const byYear = await sumBy(choose(films, ['year', 'usGross'], 2009, 2010), ['year'], 'usGross')
    assert.deepEqual(byYear.map(sum => sum.year), [2009, 2010])
    assert.equal('genre' in (byYear[0] ?? {}), false)
  })
})

describe('the table', () => {
  const sums: Sum[] = [
    { genre: 'Drama', year: 2008, films: 1, millions: 5 },
    { genre: 'Drama', year: 2009, films: 1, millions: 1_000.4 },
    { genre: 'Action', year: 2007, films: 1, millions: 3_000 },
    { genre: 'Action', year: 2009, films: 1, millions: 1 }
  ]

  test('shows the last years, and totals of all years, the largest first', () => {
    assert.deepEqual(pivot(sums, 2), {
      years: [2008, 2009],
      rows: [{ genre: 'Action', byYear: [0, 1], total: 3_001 }, { genre: 'Drama', byYear: [5, 1_000.4], total: 1_005.4 }]
    })
  })

  test('reads well', () => {
    const lines = renderTable(pivot(sums, 2), 2007).split('\n')
    assert.match(lines[1] ?? '', /│ Genre +│ +2008 │ +2009 │ +2007–2009 │/)
    assert.match(lines.at(-2) ?? '', /│ All +│ +5 │ +1,001 │ +4,006 │/)
  })
})

test('the chart is an SVG with a bar for each row', async () => {
  const svg = await renderChart({ title: 'T', x: 'year', y: 'millions', color: 'genre', rows: [{ year: 2008, genre: 'A', millions: 1 }, { year: 2009, genre: 'B', millions: 2 }] })
  assert.match(svg, /^<svg [\s\S]*<\/svg>$/)
  assert.equal(svg.match(/aria-roledescription="bar"/g)?.length, 2)
})
