/**
 * Writes test/wire/golden/v1/<type>.json: the bytes and the JSON form of one envelope of every message type. A vector is
 * a promise to every node already out there, so one that exists is never changed, unless with --force, before a release.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { samples } from '../test/wire/samples.ts'
import { encodeEnvelope } from '../src/wire/envelope.ts'
import { toJson } from '../src/wire/json.ts'

const force = process.argv.includes('--force')
const folder = join(import.meta.dirname, '../test/wire/golden/v1')
mkdirSync(folder, { recursive: true })

for (const [type, envelope] of Object.entries(samples)) {
  const file = join(folder, `${type}.json`)
  const text = `${JSON.stringify({ type, hex: Buffer.from(encodeEnvelope(envelope)).toString('hex'), json: toJson(envelope) }, null, 2)}\n`
  const old = existsSync(file) ? readFileSync(file, 'utf8') : undefined
  if (old === text) continue
  if (old !== undefined && !force) {
    console.error(`${file} would change: version 1 nodes would not understand it. Nothing was written to it; --force if no release has it yet.`)
    process.exitCode = 1
    continue
  }
  writeFileSync(file, text)
  console.log(`${old === undefined ? 'new' : 'changed'}: ${file}`)
}
