/** Films from the `vega-datasets` package, with the errors of the real data repaired. Pure: no network, no agents. */

export const COLUMNS = ['title', 'genre', 'year', 'worldwideGross', 'usGross', 'productionBudget'] as const
export type Column = typeof COLUMNS[number]
export type Film = Record<'title' | 'genre', string> & Record<'year' | 'worldwideGross' | 'usGross' | 'productionBudget', number | null>

/** What was repaired, counted over all films, whatever is chosen from them. */
export interface Repairs {
  /** Releases of the 20th century that the source dates a century too late: "Dec 15 2039" is Gone with the Wind. */
  centuries: number
  /** Titles such as 1776 and 2012, which the source holds as numbers. */
  numberTitles: number
  /** Grosses that are missing or 0: unknown, so they count as nothing. */
  unknownGrosses: number
  /** Films without a genre: "Unclassified". */
  noGenre: number
}

/** The source was compiled in 2010 and knows releases up to 2011. */
const NEWEST_YEAR = 2011

export function clean (source: Array<Record<string, unknown>>): { films: Film[], repairs: Repairs } {
  const repairs: Repairs = { centuries: 0, numberTitles: 0, unknownGrosses: 0, noGenre: 0 }
  const films = source.map((row): Film => {
    const dated = /(\d{4})$/.exec(String(row['Release Date']))
    const year = dated === null ? null : Number(dated[1])
    const late = year !== null && year > NEWEST_YEAR
    if (late) repairs.centuries++
    if (typeof row.Title === 'number') repairs.numberTitles++
    if (typeof row['Major Genre'] !== 'string') repairs.noGenre++
    const worldwideGross = known(row['Worldwide Gross'])
    if (worldwideGross === null) repairs.unknownGrosses++
    return {
      title: row.Title === null ? 'Untitled' : String(row.Title),
      genre: typeof row['Major Genre'] === 'string' ? row['Major Genre'] : 'Unclassified',
      year: late ? year - 100 : year,
      worldwideGross,
      usGross: known(row['US Gross']),
      productionBudget: known(row['Production Budget'])
    }
  })
  return { films, repairs }
}

/** Only these columns of the films released in these years. A film without a year is in none. */
export function choose (films: Film[], columns: Column[], yearFrom = -Infinity, yearTo = Infinity): Array<Partial<Film>> {
  return films
    .filter(({ year }) => year !== null && year >= yearFrom && year <= yearTo)
    .map(film => Object.fromEntries(columns.map(column => [column, film[column]])))
}

const known = (value: unknown): number | null => typeof value === 'number' && value > 0 ? value : null
