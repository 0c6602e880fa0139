/** The version before, unpacked, to be run beside the present one. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { stripWorker } from '../../scripts/strip-worker.ts'

const root = join(import.meta.dirname, '../..')
const PACKED = join(root, 'test/previous/a2a-node-previous.tgz')

/** Unpacks it into a folder, with the project's own packages. @returns its command line: the `bin` of a `RunOptions` */
export function unpackPrevious (folder: string): string {
  const place = join(folder, 'previous')
  mkdirSync(place, { recursive: true })
  execFileSync('tar', ['-xzf', PACKED, '-C', place])
  symlinkSync(join(root, 'node_modules'), join(place, 'node_modules'))
  return join(place, 'package/dist/cli/main.js')
}

/** A worker that runs with that version: the package's `index.js` in place of the sources. Like stripWorker. */
export function previousWorker (from: string, folder: string, files: [worker: string, ...others: string[]]): string {
  const dist = join(dirname(unpackPrevious(folder)), '..')
  const place = join(folder, 'previous-worker')
  mkdirSync(place)
  return stripWorker(from, place, files, dist)
}
