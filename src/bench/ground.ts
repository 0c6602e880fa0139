/** What the figures stand on: the machine, the versions, and which peers there are. */
import { readFileSync } from 'node:fs'
import { arch, availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { VERSION } from '../package.ts'
import type { Machine } from './report.ts'
import type { Subject } from './subject.ts'

export const machine = (): Machine => ({
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cores: availableParallelism(),
  memoryBytes: totalmem(),
  os: `${type()} ${release()} ${arch()}`,
  node: process.versions.node,
  loadBefore: (loadavg()[0] ?? 0) / availableParallelism()
})

/** How to get what a subject needs and is not there; nothing when all is. */
export async function missingFor (subject: Subject): Promise<string | undefined> {
  const absent = subject.packages.filter(name => locate(name) === undefined)
  if (absent.length > 0) return `${absent.join(' and ')}; get it with: npm install --no-save ${subject.packages.join(' ')}`
  return await subject.broker?.missing()
}

/** Of a2a-node, and of what the subjects are made of. */
export async function versionsOf (subjects: readonly Subject[]): Promise<Record<string, string>> {
  const versions: Record<string, string> = { 'a2a-node': VERSION }
  for (const name of ['libp2p', '@libp2p/noise', '@libp2p/yamux', ...subjects.flatMap(({ packages }) => packages)]) {
    const found = versionOf(name)
    if (found !== undefined) versions[name] = found
  }
  for (const { broker } of subjects) if (broker !== undefined) versions['nats-server'] = await broker.version()
  return versions
}

function locate (name: string): string | undefined {
  try {
    return fileURLToPath(import.meta.resolve(name))
  } catch {
    return undefined
  }
}

/** Its package.json need not be exported, so it is looked for above the entry point. */
function versionOf (name: string): string | undefined {
  for (let folder = locate(name); folder !== undefined && dirname(folder) !== folder; folder = dirname(folder)) {
    try {
      const found = JSON.parse(readFileSync(join(dirname(folder), 'package.json'), 'utf8')) as { name?: string, version?: string }
      if (found.name === name) return found.version
    } catch {
      // Not in this folder.
    }
  }
  return undefined
}
