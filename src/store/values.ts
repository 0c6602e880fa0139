/** Small values on SQLite. */
import type { Values } from '../core/ports.ts'
import type { Table } from './table.ts'
import { checkSeal, sealOfValue } from './seal.ts'
import { checkKey } from './projection.ts'

export function keptValues ({ sql, read, write }: Table): Values {
  return {
    get: key => read(() => {
      const row = sql('SELECT * FROM kept_values WHERE key = ?').get(key)
      return row === undefined ? undefined : toValue(row)
    }),
    set: async (key, value) => {
      const row = [checkKey(key), value.slice(), sealOfValue(key, value)] as const
      return write(() => { sql('INSERT INTO kept_values VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value, seal = excluded.seal').run(...row) })
    },
    list: prefix => read(() => {
      const found: Array<[string, Uint8Array]> = []
      // In the order of UTF-8, keys with the same beginning follow each other: no pattern, so nothing to escape.
      for (const row of sql('SELECT * FROM kept_values WHERE key >= ? ORDER BY key').iterate(prefix)) {
        const key = row['key'] as string
        if (!key.startsWith(prefix)) break
        found.push([key, toValue(row)])
      }
      return found
    }),
    delete: async key => write(() => { sql('DELETE FROM kept_values WHERE key = ?').run(key) })
  }
}

/** @throws Error when it is not what was written */
export function toValue ({ key, value, seal }: Record<string, any>): Uint8Array {
  checkSeal(seal, sealOfValue(key, value), `the value ${key}`)
  return value
}
