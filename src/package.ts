/** The package itself: what it is and where its files are, as sources in src/ and as built in dist/. */
import { readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import { dirname, extname, join } from 'node:path'

const manifest = findPackageJSON(import.meta.url) as string
const ending = extname(import.meta.filename)

/** The version of this package, as its package.json says. */
export const VERSION: string = JSON.parse(readFileSync(manifest, 'utf8')).version

/** The file of a module that is run as a process of its own, such as `swarm/worker`. */
export const fileOf = (module: string): string => join(dirname(manifest), ending === '.ts' ? 'src' : 'dist', `${module}${ending}`)
