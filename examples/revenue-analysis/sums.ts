/** Sums of money by group, in an in-memory DuckDB. */
import { DuckDBInstance } from '@duckdb/node-api'
import type { Film } from './films.ts'

export type Group = 'genre' | 'year'
export type Measure = 'worldwideGross' | 'usGross' | 'productionBudget'
export interface Sum { genre?: string, year?: number, films: number, millions: number }

/** Millions of dollars per group, with one decimal, and the number of films whose figure is known. In the order of the groups. */
export async function sumBy (films: Array<Partial<Film>>, groupBy: Group[], measure: Measure): Promise<Sum[]> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    await connection.run('CREATE TABLE film (genre VARCHAR, year INTEGER, dollars BIGINT)')
    const appender = await connection.createAppender('film')
    for (const film of films) {
      appender.appendVarchar(film.genre ?? 'Unclassified')
      if (film.year == null) appender.appendNull()
      else appender.appendInteger(film.year)
      const dollars = film[measure]
      if (dollars == null) appender.appendNull()
      else appender.appendBigInt(BigInt(dollars))
      appender.endRow()
    }
    appender.closeSync()
    // The names come from the capability's input schema, which knows only columns of this table.
    const groups = groupBy.join(', ')
    const result = await connection.runAndReadAll(`
      SELECT ${groups}, count(dollars)::INTEGER AS films, round(sum(dollars) / 1e6, 1)::DOUBLE AS millions
      FROM film GROUP BY ${groups} HAVING count(dollars) > 0 ORDER BY ${groups}`)
    return result.getRowObjectsJS() as unknown as Sum[]
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}
