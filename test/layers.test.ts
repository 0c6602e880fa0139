/** Which part of the source may import which. A part that is not here is not allowed yet: it is added when it appears. */
import { readFileSync, globSync } from 'node:fs'
import { join, posix } from 'node:path'
import { describe, it } from 'node:test'
import assert from 'node:assert/strict'

/** Folder of src/ → the folders and files of src/ it may import, besides itself. */
const MAY_IMPORT: Record<string, string[]> = {
  core: [],
  wire: ['core'],
  identity: ['core', 'wire'],
  store: ['core', 'wire'],
  settle: ['core', 'wire', 'identity'],
  net: ['core', 'wire', 'identity'],
  content: ['core', 'wire', 'net', 'identity'],
  discover: ['core', 'wire', 'net', 'identity'],
  announce: ['core', 'wire', 'net', 'identity'],
  negotiate: ['core', 'wire', 'net', 'identity'],
  queue: ['core', 'wire', 'negotiate'],
  execute: ['core'],
  guard: ['core'],
  patterns: ['core'],
  converse: ['core', 'wire', 'net', 'identity'],
  control: ['core', 'index.ts', 'package.ts'],
  operate: ['core', 'control', 'identity', 'settle', 'store', 'queue', 'patterns', 'node.ts'],
  swarm: ['core', 'control', 'index.ts', 'package.ts'],
  bench: ['core', 'wire', 'identity', 'net', 'swarm', 'index.ts', 'package.ts'],
  cli: ['core', 'control', 'swarm', 'bench', 'index.ts', 'package.ts'],
  testing: ['core', 'wire', 'store', 'settle', 'execute', 'announce', 'negotiate', 'guard', 'patterns'],
  'package.ts': []
}
/** They wire the parts together, and may import everything. */
const COMPOSITION_ROOTS = ['index.ts', 'agent.ts', 'node.ts']
/** Packages that only one folder may know. */
const KNOWN_ONLY_TO = { net: /^(@libp2p\/|libp2p($|\/))/, store: /^node:sqlite$/, guard: /^cockatiel$/ }
/** Measures libp2p itself, beside us. */
const BARE_LIBP2P = 'bench/subjects/libp2p.ts'
/** Takes SQLite for its lock: Node has no other one that ends with its holder. */
const LOCK = 'content/lock.ts'

const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*'([^'\n]+)'/g

/** What is wrong with the imports of a file: `path` as in src/, with forward slashes. */
function faultsOf (path: string, source: string): string[] {
  const part = partOf(path)
  const allowed = COMPOSITION_ROOTS.includes(part) ? undefined : MAY_IMPORT[part]
  if (allowed === undefined && !COMPOSITION_ROOTS.includes(part)) return [`${path}: ${part} is not in the table of layers`]
  return [...source.matchAll(IMPORT)].map(([, target = '']) => target).flatMap(target => {
    if (target.startsWith('.')) {
      const to = partOf(posix.normalize(posix.join(posix.dirname(path), target)))
      return allowed === undefined || to === part || allowed.includes(to) ? [] : [`${path}: ${part} may not import ${to}`]
    }
    if (part === 'core') return [`${path}: core may not import ${target}`]
    return Object.entries(KNOWN_ONLY_TO).filter(([owner, packages]) => owner !== part && ![BARE_LIBP2P, LOCK].includes(path) && packages.test(target)).map(([owner]) => `${path}: only ${owner} may import ${target}`)
  })
}

/** `wire/hash.ts` → `wire`; `agent.ts` → `agent.ts`. */
const partOf = (path: string): string => path.split('/')[0] ?? path

describe('layers', () => {
  const src = join(import.meta.dirname, '../src')
  const files = globSync('**/*.{ts,js}', { cwd: src }).map(file => file.replaceAll('\\', '/'))

  it('import only what they may', () => {
    assert.ok(files.length > 10)
    assert.deepEqual(files.flatMap(file => faultsOf(file, readFileSync(join(src, file), 'utf8'))), [])
  })

  for (const [path, source, fault] of [
    ['core/a.ts', "import { x } from '../wire/x.ts'", 'core may not import wire'],
    ['core/a.ts', "import { createHash } from 'node:crypto'", 'core may not import node:crypto'],
    ['core/sub/a.ts', "export * from '../b.ts'", undefined],
    ['wire/a.ts', "import type { X } from '../core/x.ts'", undefined],
    ['wire/a.ts', "export { x } from '../identity/x.ts'", 'wire may not import identity'],
    ['discover/a.ts', "import '../announce/x.ts'", 'discover may not import announce'],
    ['execute/a.ts', "const x = await import('../net/x.ts')", 'execute may not import net'],
    ['execute/a.ts', "let x: import('../store/x.ts').X", 'execute may not import store'],
    ['cli/a.ts', "import { createAgent } from '../index.ts'", undefined],
    ['cli/a.ts', "import { createAgent } from '../agent.ts'", 'cli may not import agent.ts'],
    ['discover/a.ts', "import {\n  x\n} from '@libp2p/kad-dht'", 'only net may import @libp2p/kad-dht'],
    ['node.ts', "import { createLibp2p } from 'libp2p'", 'only net may import libp2p'],
    ['node.ts', "import { x } from './settle/x.ts'", undefined],
    ['net/a.ts', "import { createLibp2p } from 'libp2p'", undefined],
    ['bench/a.ts', "import { createLibp2p } from 'libp2p'", 'only net may import libp2p'],
    ['execute/a.ts', "import { circuitBreaker } from 'cockatiel'", 'only guard may import cockatiel'],
    [BARE_LIBP2P, "import { createLibp2p } from 'libp2p'", undefined],
    [LOCK, "import { DatabaseSync } from 'node:sqlite'", undefined],
    ['misc/a.ts', '', 'misc is not in the table of layers']
  ] as const) {
    it(`are ${fault === undefined ? 'kept' : 'broken'} by ${path} with ${JSON.stringify(source)}`, () => {
      assert.deepEqual(faultsOf(path, source), fault === undefined ? [] : [`${path}: ${fault}`])
    })
  }
})
