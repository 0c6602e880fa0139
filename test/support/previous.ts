/** The version before, unpacked, to be run beside the present one. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

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
