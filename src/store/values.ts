/** Small values on SQLite. */
import type { Values } from '../core/ports.ts'
import type { Table } from './table.ts'
import { checkKey } from './projection.ts'

export function keptValues ({ sql, read, write }: Table): Values {
  return {
    get: key => read(() => sql('SELECT value FROM kept_values WHERE key = ?').get(key)?.['value'] as Uint8Array | undefined),
    set: async (key, value) => {
      const row = [checkKey(key), value.slice()] as const
      return write(() => { sql('INSERT INTO kept_values VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value').run(...row) })
    },
    list: prefix => read(() => {
      const found: Array<[string, Uint8Array]> = []
      // In the order of UTF-8, keys with the same beginning follow each other: no pattern, so nothing to escape.
      for (const row of sql('SELECT key, value FROM kept_values WHERE key >= ? ORDER BY key').iterate(prefix)) {
        const key = row['key'] as string
        if (!key.startsWith(prefix)) break
        found.push([key, row['value'] as Uint8Array])
      }
      return found
    }),
    delete: async key => write(() => { sql('DELETE FROM kept_values WHERE key = ?').run(key) })
  }
}
