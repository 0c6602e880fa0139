import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { printable } from './console.ts'
import { A2aError, messageOf } from '../core/errors.ts'
import type { TaskEvent } from '../core/task.ts'

/**
 * Saves artifacts into a folder. Their names come from others, so each becomes one plain file name: nothing is written
 * outside the folder, nor through a link in it. Resolves to the file.
 */
export function artifactFolder (dir: string): (event: TaskEvent & { event: 'artifact' }) => Promise<string> {
  const files = new Map<string, string>()
  return async ({ name, data, append }) => {
    const before = files.get(name)
    const file = before ?? join(dir, unused(fileName(name), [...files.values()].map(path => path.slice(dir.length + 1))))
    try {
      mkdirSync(dir, { recursive: true })
      if (before === undefined || !append) {
        rmSync(file, { force: true })
        writeFileSync(file, data, { flag: 'wx' })
      } else {
        writeFileSync(file, data, { flag: 'a' })
      }
    } catch (error) {
      throw new A2aError({ code: 'BAD_USAGE', why: `cannot save the artifact ${printable(name)}: ${messageOf(error)}` })
    }
    files.set(name, file)
    return file
  }
}

/** Letters, digits, dots, dashes, underscores; never hidden, never empty. */
export const fileName = (name: string): string =>
  (name.split(/[\\/]/).at(-1) ?? '').replaceAll(/[^A-Za-z0-9._-]/g, '_').replace(/^\.+/, '').slice(0, 120) || 'artifact'

function unused (name: string, taken: string[]): string {
  if (!taken.includes(name)) return name
  let number = 2
  while (taken.includes(`${number}-${name}`)) number++
  return `${number}-${name}`
}
